// ld, st and what only hints at them.
#include "runtime/sim/Access.h"
#include "runtime/sim/Decode.h"
#include "runtime/sim/Lanes.h"

namespace sparsec::sim {

namespace {

// Inst::flags of a memory instruction; Inst::b has the space and the sizes.
constexpr uint8_t narrowAddress = 1, strongAccess = 2, acquireRelease = 4;

int32_t packMeta(Space space, int element, int registerBytes) {
  return int(space) | element << 8 | registerBytes << 16;
}

Access accessOf(const Inst &in, bool writes) {
  Access access;
  access.space = Space(in.b & 0xff);
  access.bytes = (in.b >> 8 & 0xff) * in.count;
  access.reads = !writes;
  access.writes = writes;
  access.strong = in.flags & strongAccess;
  access.acquires = !writes && (in.flags & acquireRelease);
  access.releases = writes && (in.flags & acquireRelease);
  return access;
}

void countBytes(Warp &w, const Access &access) {
  SimReport &report = *w.block->launch.report;
  uint64_t bytes = uint64_t(access.bytes) * std::popcount(w.mask);
  if (access.space == Space::Shared)
    (access.writes ? report.sharedStoreBytes : report.sharedLoadBytes) += bytes;
  else if (access.space == Space::Global || access.space == Space::Generic)
    (access.writes ? report.globalStoreBytes : report.globalLoadBytes) += bytes;
}

/// Elements of one size to registers of the same size.
template <class T, class Lane>
void loadExact(Warp &w, const Inst &in) {
  Access access = accessOf(in, false);
  computeAddresses(w, in);
  if (!resolve(w, in, access))
    return;
  countBytes(w, access);
  for (int e = 0; e < in.count; ++e) {
    Lane *to = w.out<Lane>(w.operands[in.extra + e]);
    forLanes(w.mask, [&](int lane) {
      T value;
      std::memcpy(&value, w.host[lane] + e * sizeof(T), sizeof(T));
      to[lane] = Lane(value);
    });
  }
}

/// ld.v4 of 32 bits, and ld.v2 of 64: one 16-byte read a lane.
void loadQuad(Warp &w, const Inst &in) {
  Access access = accessOf(in, false);
  computeAddresses(w, in);
  if (!resolve(w, in, access))
    return;
  countBytes(w, access);
  const int32_t *to = w.operands + in.extra;
  uint32_t *x = w.out<uint32_t>(to[0]), *y = w.out<uint32_t>(to[1]);
  uint32_t *z = w.out<uint32_t>(to[2]), *u = w.out<uint32_t>(to[3]);
  forLanes(w.mask, [&](int lane) {
    uint32_t values[4];
    std::memcpy(values, w.host[lane], 16);
    x[lane] = values[0], y[lane] = values[1], z[lane] = values[2], u[lane] = values[3];
  });
}

/// Elements narrower than their registers: extended as the type says.
template <class T>
void loadNarrow(Warp &w, const Inst &in) {
  Access access = accessOf(in, false);
  computeAddresses(w, in);
  if (!resolve(w, in, access))
    return;
  countBytes(w, access);
  int registerBytes = in.b >> 16;
  for (int e = 0; e < in.count; ++e)
    forLanes(w.mask, [&](int lane) {
      T value;
      std::memcpy(&value, w.host[lane] + e * sizeof(T), sizeof(T));
      int64_t wide = std::is_signed_v<T> ? int64_t(value) : int64_t(uint64_t(value));
      int32_t column = w.operands[in.extra + e];
      if (registerBytes == 8)
        w.out<uint64_t>(column)[lane] = uint64_t(wide);
      else
        w.out<uint32_t>(column)[lane] =
            registerBytes == 2 ? uint32_t(wide) & 0xffff : uint32_t(wide);
    });
}

template <class T, class Lane>
void store(Warp &w, const Inst &in) {
  Access access = accessOf(in, true);
  computeAddresses(w, in);
  if (!resolve(w, in, access))
    return;
  countBytes(w, access);
  for (int e = 0; e < in.count; ++e) {
    const Lane *from = w.in<Lane>(w.operands[in.extra + e]);
    forLanes(w.mask, [&](int lane) {
      T value = T(from[lane]);
      std::memcpy(w.host[lane] + e * sizeof(T), &value, sizeof(T));
    });
  }
}

void runNothing(Warp &w, const Inst &in) {}

/// .relaxed and stronger, .volatile; scopes; cache hints: taken off the modifiers.
void takeQualifiers(InstructionDecoder &d) {
  int strength = d.takeOneOf({"relaxed", "acquire", "release", "volatile", "mmio", "weak"});
  if (strength >= 0 && strength <= 4)
    d.inst().flags |= strongAccess;
  if (strength == 1 || strength == 2)
    d.inst().flags |= acquireRelease;
  d.takeOneOf({"cta", "cluster", "gpu", "sys"});
  d.take("nc");
  d.takeOneOf({"ca", "cg", "cs", "lu", "cv", "wb", "wt"});
  for (std::string_view hint : {"L1::evict_normal", "L1::evict_unchanged", "L1::evict_first",
                                "L1::evict_last", "L1::no_allocate", "L2::evict_first",
                                "L2::evict_last", "L2::64B", "L2::128B", "L2::256B", "unified"})
    d.take(hint);
}

Space takeSpace(InstructionDecoder &d) {
  constexpr Space spaces[] = {Space::Global, Space::Shared, Space::Shared, Space::Local,
                              Space::Const,  Space::Param,  Space::Param,  Space::Param};
  int found = d.takeOneOf({"global", "shared", "shared::cta", "local", "const", "param",
                           "param::entry", "param::func"});
  return found < 0 ? Space::Generic : spaces[found];
}

template <class T>
Handler storeTo(int registerBytes) {
  return registerBytes == 8 ? store<T, uint64_t> : store<T, uint32_t>;
}

Handler loadHandler(Type type, int registerBytes, int count) {
  if (sizeOf(type) == registerBytes) {
    switch (registerBytes) {
    case 1:
      return loadExact<uint8_t, uint32_t>;
    case 2:
      return loadExact<uint16_t, uint32_t>;
    case 4:
      return count == 4 ? loadQuad : loadExact<uint32_t, uint32_t>;
    default:
      return loadExact<uint64_t, uint64_t>;
    }
  }
  switch (sizeOf(type)) {
  case 1:
    return isSigned(type) ? loadNarrow<int8_t> : loadNarrow<uint8_t>;
  case 2:
    return isSigned(type) ? loadNarrow<int16_t> : loadNarrow<uint16_t>;
  default:
    return isSigned(type) ? loadNarrow<int32_t> : loadNarrow<uint32_t>;
  }
}

Handler storeHandler(Type type, int registerBytes) {
  switch (sizeOf(type)) {
  case 1:
    return storeTo<uint8_t>(registerBytes);
  case 2:
    return storeTo<uint16_t>(registerBytes);
  case 4:
    return storeTo<uint32_t>(registerBytes);
  default:
    return store<uint64_t, uint64_t>;
  }
}

} // namespace

void decodeMemory(InstructionDecoder &d) {
  std::string_view opcode = d.opcode();
  if (opcode != "ld" && opcode != "ldu" && opcode != "st") {
    // Prefetches and cache hints have no effect that can be seen.
    while (!d.takeAny().empty()) {
    }
    Space space = Space::Generic;
    d.inst().flags = d.address(d.operand(0), space);
    d.run(runNothing);
    return d.finish(d.operands());
  }
  bool stores = opcode == "st";
  takeQualifiers(d);
  Space space = takeSpace(d);
  int lanes = d.takeOneOf({"v2", "v4", "v8"});
  Type type = d.takeType();
  const Operand &memory = d.operand(stores ? 0 : 1), &data = d.operand(stores ? 1 : 0);
  if (d.address(memory, space))
    d.inst().flags |= narrowAddress;
  std::vector<const Operand *> elements = d.elements(data);
  d.expect(int(elements.size()) == (lanes < 0 ? 1 : 2 << lanes),
           "expected as many registers as .v says");
  int bytes = sizeOf(type) * int(elements.size()), registerBytes = sizeOf(type);
  d.expect(bytes > 0 && bytes <= 16, "expected 1 to 16 bytes");
  for (const Operand *element : elements) {
    int width = d.widthOf(*element, type);
    if (element->kind == Operand::Kind::Register)
      registerBytes = width;
    using Width = InstructionDecoder::Width;
    d.extra(stores ? d.use(*element, type, Width::Wider) : d.def(*element, type, Width::Wider));
  }
  d.inst().b = packMeta(space, sizeOf(type), registerBytes);
  d.run(stores ? storeHandler(type, registerBytes)
               : loadHandler(type, registerBytes, int(elements.size())));
  d.finish(2);
}

} // namespace sparsec::sim
