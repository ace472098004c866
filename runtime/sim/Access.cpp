#include "runtime/sim/Access.h"
#include "runtime/sim/Lanes.h"

#include <fmt/core.h>

namespace sparsec::sim {

namespace {

std::string_view nameOf(Space space) {
  switch (space) {
  case Space::Generic:
    return "memory";
  case Space::Global:
    return "global memory";
  case Space::Shared:
    return "shared memory";
  case Space::Local:
    return "local memory";
  case Space::Const:
    return "constant memory";
  case Space::Param:
    return "a parameter";
  }
  return "";
}

std::string_view verb(const Access &access) {
  return access.reads && access.writes ? "atomic access to"
         : access.writes               ? "write to"
                                       : "read of";
}

/// Whether [address, address + bytes) is in [low, high).
bool inside(uint64_t address, uint64_t bytes, uint64_t low, uint64_t high) {
  return address >= low && address <= high && bytes <= high - address;
}

uint32_t lineOf(const Warp &w, const Inst &in) {
  return w.block->program.places[in.source].line;
}

Accessor accessorOf(const Warp &w, const Inst &in, int lane, const Access &access) {
  return {w.index, lane, lineOf(w, in), access.strong, false};
}

// Messages are made apart from the checks, which then need no frame for them.
#define SPARSEC_COLD [[gnu::cold, gnu::noinline]]

SPARSEC_COLD bool refuseMisaligned(Warp &w, const Inst &in, int lane, uint64_t address,
                                   const Access &access) {
  w.block->fail(w, in, lane,
                fmt::format("{} {} at {:#x}, which is not aligned to {} bytes", verb(access),
                            nameOf(access.space), address, access.bytes));
  return false;
}

bool resolveShared(Warp &w, const Inst &in, const Access &access) {
  ThreadBlock &block = *w.block;
  uint32_t first = std::countr_zero(w.mask);
  // All lanes at one address is a read of the warp: one look instead of 32.
  if (w.mask == ~0u && !access.writes && !access.strong) {
    uint64_t differs = 0;
    for (int i = 0; i < 32; ++i)
      differs |= w.address[i] ^ w.address[first];
    if (!differs) {
      if (!checkShared(w, in, wholeWarp, w.address[first], access))
        return false;
      std::fill_n(w.host, 32, block.shared.data() + w.address[first]);
      return true;
    }
  }
  for (uint32_t rest = w.mask; rest; rest &= rest - 1) {
    int lane = std::countr_zero(rest);
    uint64_t address = w.address[lane];
    // Out of 32 bits is out of bounds, not somewhere else.
    if (!checkShared(w, in, lane, address > UINT32_MAX ? UINT32_MAX : uint32_t(address), access))
      return false;
    w.host[lane] = block.shared.data() + address;
  }
  return true;
}

bool resolveGlobal(Warp &w, const Inst &in, const Access &access) {
  for (uint32_t rest = w.mask; rest; rest &= rest - 1) {
    int lane = std::countr_zero(rest);
    w.host[lane] = checkGlobal(w, in, lane, w.address[lane], access);
    if (!w.host[lane])
      return false;
  }
  return true;
}

bool resolveLocal(Warp &w, const Inst &in, const Access &access) {
  ThreadBlock &block = *w.block;
  uint64_t size = block.program.localBytes;
  for (uint32_t rest = w.mask; rest; rest &= rest - 1) {
    int lane = std::countr_zero(rest);
    uint64_t address = w.address[lane];
    if (!inside(address, access.bytes, localStart, size)) {
      block.fail(w, in, lane,
                 fmt::format("{} local memory at {:#x}, outside [{:#x}, {:#x})", verb(access),
                             address, localStart, size));
      return false;
    }
    if (address & (access.bytes - 1))
      return refuseMisaligned(w, in, lane, address, access);
    w.host[lane] = block.local.data() + size * (w.index * 32 + lane) + address;
  }
  return true;
}

bool resolveParam(Warp &w, const Inst &in, const Access &access) {
  ThreadBlock &block = *w.block;
  for (uint32_t rest = w.mask; rest; rest &= rest - 1) {
    int lane = std::countr_zero(rest);
    uint64_t address = w.address[lane];
    if (access.writes ||
        !inside(address, access.bytes, paramWindow, paramWindow + block.program.parameterBytes)) {
      block.fail(w, in, lane,
                 fmt::format("{} a parameter at offset {:#x} of {} bytes", verb(access),
                             address - paramWindow, block.program.parameterBytes));
      return false;
    }
    if (address & (access.bytes - 1))
      return refuseMisaligned(w, in, lane, address, access);
    w.host[lane] = block.parameters.data() + (address - paramWindow);
  }
  return true;
}

Space spaceAt(uint64_t address) {
  if (address >= globalStart)
    return Space::Global;
  switch (address / windowSize) {
  case sharedWindow / windowSize:
    return Space::Shared;
  case localWindow / windowSize:
    return Space::Local;
  case paramWindow / windowSize:
    return Space::Param;
  default:
    return Space::Global;
  }
}

/// Lanes of a generic access may be in different spaces: one space at a time.
bool resolveGeneric(Warp &w, const Inst &in, Access access) {
  uint32_t all = w.mask, rest = all;
  while (rest) {
    Space space = spaceAt(w.address[std::countr_zero(rest)]);
    uint32_t same = 0;
    forLanes(rest, [&](int lane) {
      if (spaceAt(w.address[lane]) != space)
        return;
      same |= 1u << lane;
      if (space == Space::Shared)
        w.address[lane] -= sharedWindow;
      if (space == Space::Local)
        w.address[lane] -= localWindow;
    });
    rest &= ~same;
    w.mask = same;
    access.space = space;
    bool allowed = resolve(w, in, access);
    w.mask = all;
    if (!allowed)
      return false;
  }
  return true;
}

/// Fences and acquire and release patterns: what strong accesses tell each other.
void orderStrong(Warp &w, const Access &access, uint64_t salt) {
  Clocks &clocks = w.block->clocks;
  if ((access.acquires || access.releases) && !clocks.usesFences())
    clocks.startFences();
  if (!clocks.usesFences())
    return;
  forLanes(w.mask, [&](int lane) {
    uint64_t location = w.address[lane] ^ salt;
    if (access.reads)
      clocks.strongRead(w.index, lane, location, access.acquires);
    if (access.writes)
      clocks.strongWrite(w.index, lane, location, access.releases, access.reads);
  });
}

} // namespace

SPARSEC_COLD void reportConflict(Warp &w, const Inst &in, int lane, const Conflict &conflict,
                                 Space space, uint64_t address, const Access &access) {
  ThreadBlock &block = *w.block;
  std::string other = conflict.lane == wholeWarp ? fmt::format("warp {}", conflict.warp)
                                                 : block.threadName(conflict.warp, conflict.lane);
  std::string message;
  switch (conflict.kind) {
  case Conflict::Kind::None:
    return;
  case Conflict::Kind::NeverWritten:
    message = fmt::format("{} {} at {:#x}, which was never written", verb(access), nameOf(space),
                          address);
    break;
  case Conflict::Kind::InFlight:
    message = fmt::format("{} {} at {:#x}, where the cp.async of {} at line {} is in flight",
                          verb(access), nameOf(space), address, other, conflict.line);
    break;
  case Conflict::Kind::ClockOverflow:
    message = "more synchronisations in a block than the race check counts";
    break;
  case Conflict::Kind::Race:
    message = fmt::format("race: {} {} at {:#x} is not ordered with the {} by {} at line {}",
                          verb(access), nameOf(space), address,
                          conflict.earlierWrites ? "write" : "read", other, conflict.line);
    break;
  }
  block.fail(w, in, lane, std::move(message));
}

namespace {

SPARSEC_COLD bool refuseShared(Warp &w, const Inst &in, int lane, uint32_t address,
                               const Access &access) {
  w.block->fail(w, in, lane,
                fmt::format("{} shared memory at {:#x}, outside [{:#x}, {:#x})", verb(access),
                            address, sharedStart, w.block->sharedBytes));
  return false;
}

inline bool checkSharedBounds(Warp &w, const Inst &in, int named, uint32_t address,
                              const Access &access) {
  if (!inside(address, access.bytes, sharedStart, w.block->sharedBytes))
    return refuseShared(w, in, named, address, access);
  return !(address & (access.bytes - 1)) || refuseMisaligned(w, in, named, address, access);
}

/// Why global memory may not be accessed so.
SPARSEC_COLD uint8_t *refuseGlobal(Warp &w, const Inst &in, int lane, uint64_t address,
                                   const Access &access, const Allocation *allocation) {
  if (!allocation)
    w.block->fail(w, in, lane,
                  fmt::format("{} {} at {:#x}: {}", verb(access), nameOf(access.space), address,
                              w.block->launch.memory->describe(address)));
  else if (address & (access.bytes - 1))
    refuseMisaligned(w, in, lane, address, access);
  else if (access.writes && allocation->readOnly)
    w.block->fail(w, in, lane, fmt::format("write to constant memory at {:#x}", address));
  else
    w.block->fail(w, in, lane,
                  fmt::format("{} {} at {:#x}, which was never written", verb(access),
                              nameOf(access.space), address));
  return nullptr;
}

} // namespace

bool checkShared(Warp &w, const Inst &in, int lane, uint32_t address, const Access &access) {
  ThreadBlock &block = *w.block;
  int named = lane == wholeWarp ? -1 : lane;
  if (!checkSharedBounds(w, in, named, address, access))
    return false;
  if (!block.checks())
    return true;
  Accessor by = accessorOf(w, in, lane, access);
  ShadowPointer shadow = block.sharedShadow(address);
  Conflict conflict;
  if ((!access.reads || block.races.read(shadow, address & 3, access.bytes, by, conflict)) &&
      (!access.writes || block.races.write(shadow, address & 3, access.bytes, by, conflict)))
    return true;
  reportConflict(w, in, named, conflict, Space::Shared, (address & ~3u) + conflict.byte, access);
  return false;
}

bool checkSharedRows(Warp &w, const Inst &in, int count, const Access &access) {
  ThreadBlock &block = *w.block;
  Accessor by = accessorOf(w, in, wholeWarp, access);
  RaceCheck::Rereading reading;
  for (int i = 0; i < count; ++i) {
    uint32_t address = w.address[i] > UINT32_MAX ? UINT32_MAX : uint32_t(w.address[i]);
    if (!checkSharedBounds(w, in, i, address, access))
      return false;
    if (!block.checks())
      continue;
    ShadowPointer group = block.sharedShadow(address);
    Conflict conflict;
    if (access.writes ? block.races.write(group, 0, 16, by, conflict)
                      : block.races.readGroup(group, by, reading, conflict))
      continue;
    reportConflict(w, in, i, conflict, Space::Shared, address + conflict.byte, access);
    return false;
  }
  return true;
}

bool checkAsyncTarget(Warp &w, const Inst &in, int lane, uint32_t address, const Access &access) {
  ThreadBlock &block = *w.block;
  if (!checkSharedBounds(w, in, lane, address, access))
    return false;
  if (!block.checks())
    return true;
  Conflict conflict;
  if (block.races.startAsync(block.sharedShadow(address), access.bytes,
                             accessorOf(w, in, lane, access), conflict))
    return true;
  reportConflict(w, in, lane, conflict, Space::Shared, address + conflict.byte, access);
  return false;
}

uint8_t *checkGlobal(Warp &w, const Inst &in, int lane, uint64_t address, const Access &access) {
  ThreadBlock &block = *w.block;
  Memory &memory = *block.launch.memory;
  Allocation *allocation = memory.find(address, access.bytes);
  if (!allocation || (address & (access.bytes - 1)) || (access.writes && allocation->readOnly))
    return refuseGlobal(w, in, lane, address, access, allocation);
  uint64_t offset = address - allocation->base;
  uint8_t *host = allocation->data.get() + offset;
  if (!block.checks())
    return host;
  if (access.reads && !allocation->isWritten(offset, access.bytes))
    return refuseGlobal(w, in, lane, address, access, allocation);
  if (!allocation->readOnly) {
    Accessor by = accessorOf(w, in, lane, access);
    by.initialised = true;
    ShadowPointer shadow = allocation->shadow(offset, block.serial);
    Conflict conflict;
    if ((access.reads && !block.races.read(shadow, offset & 3, access.bytes, by, conflict)) ||
        (access.writes && !block.races.write(shadow, offset & 3, access.bytes, by, conflict))) {
      reportConflict(w, in, lane, conflict, Space::Global, (address & ~uint64_t(3)) + conflict.byte,
                     access);
      return nullptr;
    }
  }
  if (access.writes)
    allocation->markWritten(offset, access.bytes);
  return host;
}

void computeAddresses(Warp &w, const Inst &in) {
  if (in.flags & 1) {
    const uint32_t *a = w.in<uint32_t>(in.a);
    uint32_t offset = uint32_t(in.imm);
    for (int i = 0; i < 32; ++i)
      w.address[i] = uint32_t(a[i] + offset);
  } else {
    const uint64_t *a = w.in<uint64_t>(in.a);
    uint64_t offset = in.imm;
    for (int i = 0; i < 32; ++i)
      w.address[i] = a[i] + offset;
  }
}

bool resolve(Warp &w, const Inst &in, const Access &access) {
  w.polls += access.strong;
  bool allowed = false;
  switch (access.space) {
  case Space::Generic:
    return resolveGeneric(w, in, access);
  case Space::Shared:
    allowed = resolveShared(w, in, access);
    break;
  case Space::Const:
  case Space::Global:
    allowed = resolveGlobal(w, in, access);
    break;
  case Space::Local:
    return resolveLocal(w, in, access);
  case Space::Param:
    return resolveParam(w, in, access);
  }
  if (allowed && access.strong && w.block->checks())
    orderStrong(w, access, access.space == Space::Shared ? sharedWindow : 0);
  return allowed;
}

} // namespace sparsec::sim
