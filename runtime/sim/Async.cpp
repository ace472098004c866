// cp.async: copies from global to shared memory that land at the wait that covers them.
#include "runtime/sim/Access.h"
#include "runtime/sim/Decode.h"
#include "runtime/sim/Lanes.h"

#include <fmt/core.h>

namespace sparsec::sim {

namespace {

Access sharedWrite(uint32_t bytes) {
  return {Space::Shared, bytes, false, true, false, false, false};
}

/// Looks at the source in aligned pieces (a source size need not be a power of two). Copies to `to`
/// when it is not null.
bool readSource(Warp &w, const Inst &in, int lane, const AsyncCopy &copy, uint8_t *to) {
  for (uint32_t at = 0; at < copy.copied;) {
    uint32_t piece = 16;
    while (piece > copy.copied - at || (at & (piece - 1)))
      piece /= 2;
    Access access{Space::Global, piece, true, false, false, false, false};
    uint8_t *from = checkGlobal(w, in, lane, copy.from + at, access);
    if (!from)
      return false;
    if (to)
      std::memcpy(to + at, from, piece);
    at += piece;
  }
  return true;
}

void land(Warp &w, const Inst &in, int lane, const AsyncCopy &copy) {
  ThreadBlock &block = *w.block;
  uint8_t *to = block.shared.data() + copy.to;
  std::memset(to, 0, copy.size);
  if (!readSource(w, in, lane, copy, to) || !block.checks())
    return;
  Accessor by{w.index, lane, uint32_t(block.program.places[copy.source].line), false, false};
  block.races.landAsync(block.sharedShadow(copy.to), copy.size, by);
}

void issue(Warp &w, const Inst &in, int lane, const AsyncCopy &copy) {
  ThreadBlock &block = *w.block;
  if (!checkAsyncTarget(w, in, lane, copy.to, sharedWrite(copy.size)))
    return;
  if ((copy.from & (copy.size - 1)) && copy.copied)
    return block.fail(
        w, in, lane,
        fmt::format("read of global memory at {:#x}, which is not aligned to {} bytes", copy.from,
                    copy.size));
  if (!readSource(w, in, lane, copy, nullptr))
    return;
  std::memset(block.shared.data() + copy.to, poisonByte, copy.size);
  if (block.hasFault(SimFault::EagerAsync))
    return land(w, in, lane, copy);
  w.async.copies[lane].push_back(copy);
}

// a: shared address, b: global address, c: source size (or its copy size). flags: 1 and 2 the
// addresses have 32 bits, 4 c is a predicate that says to copy nothing. meta: copy size, offsets.
void copyAsync(Warp &w, const Inst &in) {
  const int32_t *meta = w.operands + in.extra;
  uint32_t size = meta[0];
  uint64_t toOffset = in.imm;
  int64_t fromOffset = meta[1];
  uint64_t copiedBytes = 0;
  for (uint32_t rest = w.mask; rest && !w.leave; rest &= rest - 1) {
    int lane = std::countr_zero(rest);
    AsyncCopy copy;
    uint64_t to =
        (in.flags & 1 ? w.in<uint32_t>(in.a)[lane] : w.in<uint64_t>(in.a)[lane]) + toOffset;
    copy.to = to > UINT32_MAX ? UINT32_MAX : uint32_t(to);
    copy.from =
        (in.flags & 2 ? w.in<uint32_t>(in.b)[lane] : w.in<uint64_t>(in.b)[lane]) + fromOffset;
    copy.size = size;
    uint32_t wanted = size;
    if (in.flags & 4)
      wanted = w.preds[in.c] >> lane & 1 ? 0 : size;
    else
      wanted = w.in<uint32_t>(in.c)[lane];
    if (wanted > size)
      return w.block->fail(w, in, lane, fmt::format("copies {} bytes of {}", wanted, size));
    copy.copied = wanted;
    copy.group = w.async.committed[lane];
    copy.source = in.source;
    copiedBytes += wanted;
    issue(w, in, lane, copy);
  }
  w.block->launch.report->globalLoadBytes += copiedBytes;
}

void commitGroup(Warp &w, const Inst &in) {
  forLanes(w.mask, [&](int lane) { ++w.async.committed[lane]; });
}

/// imm: how many groups may stay in flight; -1: wait_all.
void waitGroup(Warp &w, const Inst &in) {
  if (w.block->hasFault(SimFault::DroppedAsyncWait))
    return;
  for (uint32_t rest = w.mask; rest && !w.leave; rest &= rest - 1) {
    int lane = std::countr_zero(rest);
    if (in.imm < 0)
      ++w.async.committed[lane];
    int64_t complete = int64_t(w.async.committed[lane]) - std::max<int64_t>(in.imm, 0);
    std::vector<AsyncCopy> &queue = w.async.copies[lane];
    size_t landed = 0;
    while (landed < queue.size() && int64_t(queue[landed].group) < complete && !w.leave)
      land(w, in, lane, queue[landed++]);
    queue.erase(queue.begin(), queue.begin() + landed);
  }
}

void decodeCopy(InstructionDecoder &d) {
  int cache = d.takeOneOf({"ca", "cg"});
  d.expect(cache >= 0, "expected .ca or .cg: sim does not know this form of cp.async");
  d.expect(d.takeOneOf({"shared", "shared::cta"}) >= 0 && d.take("global"),
           "expected .shared.global");
  bool hint = d.take("L2::cache_hint");
  d.takeOneOf({"L2::64B", "L2::128B", "L2::256B"});
  Space shared = Space::Shared, global = Space::Global;
  // The address of the source is put where it is not in the way of the destination's.
  Inst &inst = d.inst();
  bool narrowFrom = d.address(d.operand(1), global);
  int64_t fromOffset = inst.imm;
  inst.b = inst.a;
  d.draft.fields |= 4;
  bool narrowTo = d.address(d.operand(0), shared);
  inst.flags = narrowTo | narrowFrom << 1;
  const Operand &size = d.operand(2);
  d.expect(size.kind == Operand::Kind::Integer &&
               (size.value == 16 || (cache == 0 && (size.value == 4 || size.value == 8))),
           "expected a copy of 16 bytes, or with .ca of 4 or 8");
  d.expect(fromOffset == int32_t(fromOffset), "expected a 32-bit offset");
  int operands = d.operands() - hint;
  if (operands == 4 && d.operand(3).kind == Operand::Kind::Register &&
      d.function.registers[d.operand(3).index].type == Type::Pred) {
    d.cPredicate(d.operand(3));
    inst.flags |= 4;
  } else if (operands == 4) {
    d.c(3, Type::B32);
  } else {
    inst.c = d.constant(size.value, 4);
  }
  d.meta({int32_t(size.value), int32_t(fromOffset)});
  d.run(copyAsync);
  d.finish(d.operands() == 3 ? 3 : operands + hint);
}

} // namespace

void decodeAsync(InstructionDecoder &d) {
  d.expect(d.take("async"), "expected cp.async");
  if (d.take("commit_group")) {
    d.run(commitGroup);
    return d.finish(0);
  }
  if (d.take("wait_all")) {
    d.inst().imm = -1;
    d.run(waitGroup);
    return d.finish(0);
  }
  if (d.take("wait_group")) {
    d.expect(d.operand(0).kind == Operand::Kind::Integer, "expected a constant number of groups");
    d.inst().imm = d.operand(0).value;
    d.run(waitGroup);
    return d.finish(1);
  }
  decodeCopy(d);
}

} // namespace sparsec::sim
