// bar.sync, bar.arrive, bar.red, and what is said when nothing can go on.
#include "runtime/sim/Machine.h"

#include <fmt/core.h>

namespace sparsec::sim {

void ThreadBlock::arrive(Warp &warp, const Inst &inst, uint32_t id, uint32_t count, bool waits,
                         bool aligned) {
  int lane = std::countr_zero(warp.mask);
  if (id >= barriers.size())
    return fail(warp, inst, lane, fmt::format("barrier {}, expected 0 to 15", id));
  if (count % 32)
    return fail(warp, inst, lane,
                fmt::format("barrier {} of {} threads, expected a multiple of 32", id, count));
  if (clocks.overflowed())
    return fail(warp, inst, lane, "more synchronisations in a block than the race check counts");
  if (aligned && warp.mask != warp.live && !warp.starved) {
    int missing = std::countr_zero(warp.live & ~warp.mask);
    return fail(warp, inst, missing,
                fmt::format("barrier {} reached by {} of {} lanes of warp {}: not by this one", id,
                            std::popcount(warp.mask), std::popcount(warp.live), warp.index));
  }
  Barrier &barrier = barriers[id];
  if (barrier.arrived && barrier.expected != count)
    return fail(warp, inst, lane,
                fmt::format("barrier {} of {} threads, where others have arrived at it for {}", id,
                            count, barrier.expected));
  barrier.expected = count;
  // A thread count counts whole warps.
  barrier.arrived += aligned && count ? 32 : std::popcount(warp.mask);
  if (count && barrier.arrived > count)
    return fail(warp, inst, lane,
                fmt::format("barrier {} of {} threads: {} arrive", id, count, barrier.arrived));
  if (!hasFault(SimFault::DroppedBarrierOrder))
    clocks.arrive(barrier.seen, warp.index, warp.mask, warp.live);
  if (waits && !hasFault(SimFault::DroppedBarrierWait)) {
    Split &split = warp.splits[warp.current];
    split.state = Split::State::AtBarrier;
    split.mask = warp.active;
    split.pc = warp.pc;
    warp.leave = true;
    barrier.waiting.push_back(
        {warp.index, warp.current, warp.mask, uint32_t(&inst - program.code.data()), inst.dst});
    if (warp.mask != warp.active) {
      // The lanes that a guard keeps away go on.
      uint32_t others = warp.active & ~warp.mask;
      split.mask = warp.mask;
      Split copy = split;
      int made = newSplit(warp, others, warp.pc, copy.reconverge, copy.parent);
      warp.splits[made].calls = copy.calls;
    }
  }
  completeBarriers();
}

void ThreadBlock::completeBarriers() {
  for (Barrier &barrier : barriers)
    if (barrier.arrived && barrier.arrived >= (barrier.expected ? barrier.expected : liveThreads))
      complete(barrier);
}

void ThreadBlock::complete(Barrier &barrier) {
  Barrier done = std::move(barrier);
  barrier = {};
  uint32_t waiting = 0;
  for (const Barrier::Waiting &entry : done.waiting) {
    Warp &warp = warps[entry.warp];
    waiting += std::popcount(entry.mask);
    warp.splits[entry.split].state = Split::State::Ready;
    if (!hasFault(SimFault::DroppedBarrierOrder))
      clocks.release(done.seen, entry.warp, entry.mask);
    const Inst &inst = program.code[entry.source];
    if (inst.flags & 0x0f) {
      // bar.red: 1 popc, 2 and, 3 or
      uint32_t result = (inst.flags & 0x0f) == 1   ? done.votesTrue
                        : (inst.flags & 0x0f) == 2 ? done.votesTrue == done.votes
                                                   : done.votesTrue != 0;
      if ((inst.flags & 0x0f) == 1) {
        forLanes(entry.mask, [&](int lane) { warp.out<uint32_t>(inst.dst)[lane] = result; });
      } else {
        uint32_t &predicate = warp.preds[inst.dst];
        predicate = result ? predicate | entry.mask : predicate & ~entry.mask;
      }
    }
  }
  if (waiting != liveThreads || hasFault(SimFault::DroppedBarrierOrder))
    return;
  clocks.completeBlock();
  if (clocks.wantsRebase()) {
    clocks.rebase();
    races.rebase(shadow);
    serial += uint64_t(1) << 40; // the shadow of global memory starts anew
  }
}

std::string ThreadBlock::describeDeadlock(Place &place) const {
  for (size_t id = 0; id < barriers.size(); ++id) {
    const Barrier &barrier = barriers[id];
    if (barrier.waiting.empty())
      continue;
    uint32_t expected = barrier.expected ? barrier.expected : liveThreads;
    place = program.places[program.code[barrier.waiting.front().source].source];
    std::string message =
        fmt::format("deadlock: barrier {} waits for {} threads and {} have arrived", id, expected,
                    barrier.arrived);
    // Who could still come: the first thread that waits somewhere else.
    for (const Warp &warp : warps) {
      uint32_t elsewhere = warp.live;
      for (const Barrier::Waiting &entry : barrier.waiting)
        if (entry.warp == warp.index)
          elsewhere &= ~entry.mask;
      if (elsewhere)
        return message + fmt::format("; not {} of block ({},{},{})",
                                     threadName(warp.index, std::countr_zero(elsewhere)), index[0],
                                     index[1], index[2]);
    }
    return message + fmt::format(", block ({},{},{})", index[0], index[1], index[2]);
  }
  for (const Warp &warp : warps)
    for (const Split &split : warp.splits)
      if (split.state == Split::State::AtCollective) {
        const Inst &inst = program.code[split.pc];
        place = program.places[inst.source];
        return fmt::format(
            "deadlock: {} waits for lanes {:#010x} and {:#010x} are here, {} of block "
            "({},{},{})",
            program.opcodes[inst.counter], split.wanted, split.executing,
            threadName(warp.index, std::countr_zero(split.mask)), index[0], index[1], index[2]);
      }
  return "deadlock: no thread can go on";
}

} // namespace sparsec::sim
