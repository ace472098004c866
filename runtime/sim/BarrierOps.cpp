// bar, barrier, membar, fence.
#include "runtime/sim/Decode.h"
#include "runtime/sim/Lanes.h"

#include <fmt/core.h>

namespace sparsec::sim {

namespace {

// Inst::flags: 0x0f what bar.red computes (1 popc, 2 and, 3 or).
constexpr int64_t waitsBit = 1, alignedBit = 2;

void barrier(Warp &w, const Inst &in) {
  const uint32_t *id = w.in<uint32_t>(in.a), *count = w.in<uint32_t>(in.b);
  int first = std::countr_zero(w.mask);
  uint32_t same = bitsWhere([&](int i) { return id[i] == id[first] && count[i] == count[first]; });
  if (uint32_t other = w.mask & ~same)
    return w.block->fail(w, in, std::countr_zero(other),
                         "names another barrier or number of threads than the other lanes");
  if (in.flags & 0x0f) {
    Barrier &at = w.block->barriers[id[first] & 15];
    uint32_t yes = (w.preds[in.c] ^ (in.flags & 0x20 ? ~0u : 0)) & w.mask;
    at.votes += std::popcount(w.mask);
    at.votesTrue += std::popcount(yes);
  }
  w.block->arrive(w, in, id[first], count[first], in.imm & waitsBit, in.imm & alignedBit);
}

void warpBarrier(Warp &w, const Inst &in) {
  const uint32_t *named = w.in<uint32_t>(in.a);
  int first = std::countr_zero(w.mask);
  uint32_t wanted = named[first];
  uint32_t same = bitsWhere([&](int i) { return named[i] == wanted && (wanted >> i & 1); });
  if (uint32_t other = w.mask & ~same)
    return w.block->fail(w, in, std::countr_zero(other),
                         fmt::format("the mask {:#010x} {}", named[std::countr_zero(other)],
                                     named[std::countr_zero(other)] == wanted
                                         ? "does not name the executing lane"
                                         : "is not that of the other lanes"));
  if (w.block->clocks.overflowed())
    return w.block->fail(w, in, first,
                         "more synchronisations in a block than the race check counts");
  // Lanes that wait at another bar.warp.sync of the same mask count as well.
  if (!w.block->gatherAnywhere(w, in, wanted))
    return;
  if (!w.block->hasFault(SimFault::DroppedBarrierOrder))
    w.block->clocks.syncWarp(w.index, w.mask, w.live);
}

void fence(Warp &w, const Inst &in) {
  if (w.block->checks())
    w.block->clocks.fence(w.index, w.mask);
}

} // namespace

void decodeBarrier(InstructionDecoder &d) {
  std::string_view opcode = d.opcode();
  if (opcode == "membar" || opcode == "fence") {
    int scope = d.takeOneOf({"cta", "gl", "sys", "gpu", "cluster"});
    if (opcode == "fence")
      d.expect(d.takeOneOf({"sc", "acq_rel"}) >= 0,
               "expected .sc or .acq_rel: sim does not know proxy fences yet");
    d.expect(scope >= 0, "expected a scope");
    d.run(fence);
    return d.finish(0);
  }
  if (opcode == "bar" && d.take("warp")) {
    d.expect(d.take("sync"), "expected .sync");
    d.a(0, Type::B32);
    d.run(warpBarrier);
    return d.finish(1);
  }
  d.take("cta");
  bool aligned = d.take("aligned") || opcode == "bar";
  int what = d.takeOneOf({"sync", "arrive", "red"});
  d.expect(what >= 0, "expected .sync, .arrive or .red");
  d.inst().imm = (what != 1 ? waitsBit : 0) | (aligned ? alignedBit : 0);
  int operands = d.operands(), first = 0;
  if (what == 2) {
    int op = d.takeOneOf({"popc", "and", "or"});
    d.expect(op >= 0, "expected .popc, .and or .or");
    Type type = d.takeType();
    if (op == 0)
      d.dst(0, type);
    else
      d.dstPredicate(d.operand(0));
    d.cPredicate(d.operand(operands - 1));
    d.inst().flags |= op + 1;
    first = 1;
    --operands;
  }
  d.a(first, Type::B32);
  if (operands > first + 1) {
    d.b(first + 1, Type::B32);
  } else {
    d.inst().b = d.constant(0, 4);
    d.expect(what != 1, "expected a number of threads");
  }
  d.run(barrier);
  d.finish(what == 2 ? operands + 1 : std::min(operands, first + 2));
}

} // namespace sparsec::sim
