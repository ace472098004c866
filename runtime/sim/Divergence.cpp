// Divergence and reconvergence: the split tree of a warp.
#include "runtime/sim/Machine.h"

#include <fmt/core.h>

namespace sparsec::sim {

int ThreadBlock::newSplit(Warp &warp, uint32_t mask, uint32_t pc, uint32_t reconverge, int parent) {
  int at = 0, count = warp.splits.size();
  while (at < count && warp.splits[at].state != Split::State::Free)
    ++at;
  if (at == count)
    warp.splits.emplace_back();
  Split &split = warp.splits[at];
  split = {};
  split.state = Split::State::Ready;
  split.mask = mask;
  split.pc = pc;
  split.reconverge = reconverge;
  split.parent = parent;
  return at;
}

/// A gathering split goes on when all its lanes have come back, and ends when it has none.
void ThreadBlock::settle(Warp &warp, int at) {
  Split &split = warp.splits[at];
  if (split.state != Split::State::Gathering)
    return;
  if (!split.mask)
    split.state = Split::State::Free;
  else if (split.gathered == split.mask)
    split.state = Split::State::Ready;
}

void ThreadBlock::diverge(Warp &warp, const Inst &inst, uint32_t taken, uint32_t target,
                          uint32_t next) {
  uint32_t joinAt = hasFault(SimFault::WrongReconvergence) ? noJoin : inst.join;
  int at = warp.current;
  uint32_t fall = warp.active & ~taken;
  warp.leave = true;
  warp.splits[at].mask = warp.active;
  // Inside a call, an equal place is that of another activation.
  bool sameJoin = joinAt == warp.splits[at].reconverge && warp.splits[at].calls.empty();
  int parent = sameJoin ? warp.splits[at].parent : at;
  if (joinAt == noJoin) {
    // The ways never meet: two splits side by side.
    Split old = warp.splits[at];
    warp.splits[at].mask = fall;
    warp.splits[at].pc = next;
    int made = newSplit(warp, taken, target, old.reconverge, old.parent);
    warp.splits[made].calls = old.calls;
    return;
  }
  if (sameJoin) {
    warp.splits[at].state = Split::State::Free;
  } else {
    Split &waits = warp.splits[at];
    waits.state = Split::State::Gathering;
    waits.pc = joinAt + 1;
    waits.gathered = 0;
  }
  for (auto [lanes, pc] : {std::pair(fall, next), std::pair(taken, target)}) {
    if (pc == joinAt)
      warp.splits[parent].gathered |= lanes;
    else
      newSplit(warp, lanes, pc, joinAt, parent);
  }
  settle(warp, parent);
}

void ThreadBlock::join(Warp &warp, uint32_t at) {
  Split &split = warp.splits[warp.current];
  if (split.reconverge != at || !split.calls.empty())
    return;
  int parent = split.parent;
  warp.splits[parent].gathered |= warp.active;
  warp.polls = 0;
  split.state = Split::State::Free;
  settle(warp, parent);
  if (warp.splits[parent].state == Split::State::Ready) {
    // Goes on at once, here.
    warp.current = parent;
    warp.active = warp.splits[parent].mask;
    warp.pc = warp.splits[parent].pc;
    return;
  }
  warp.leave = true;
}

void ThreadBlock::exitLanes(Warp &warp, uint32_t mask) {
  warp.live &= ~mask;
  liveThreads -= std::popcount(mask);
  Split &split = warp.splits[warp.current];
  warp.active &= ~mask;
  split.mask = warp.active;
  split.pc = warp.pc;
  int parent = split.parent;
  if (!split.mask) {
    split.state = Split::State::Free;
    warp.leave = true;
  }
  while (parent >= 0) {
    Split &above = warp.splits[parent];
    above.mask &= ~mask;
    int next = above.parent;
    settle(warp, parent);
    parent = next;
  }
  completeBarriers();
}

bool ThreadBlock::gather(Warp &warp, const Inst &inst, uint32_t wanted) {
  return gatherAt(warp, wanted, warp.pc - 1);
}

bool ThreadBlock::gatherAnywhere(Warp &warp, const Inst &inst, uint32_t wanted) {
  return gatherAt(warp, wanted, noJoin);
}

/// `place`: the instruction at which the other lanes must be; noJoin: any bar.warp.sync.
bool ThreadBlock::gatherAt(Warp &warp, uint32_t wanted, uint32_t place) {
  wanted &= warp.live;
  if (warp.mask == wanted)
    return true;
  auto waitsHere = [&](const Split &split) {
    return split.state == Split::State::AtCollective && split.wanted == wanted &&
           split.place == place;
  };
  uint32_t here = warp.mask;
  for (const Split &split : warp.splits)
    if (waitsHere(split))
      here |= split.executing;
  if (here == wanted) {
    for (Split &split : warp.splits)
      if (waitsHere(split)) {
        split.state = Split::State::Ready;
        ++split.pc;
      }
    warp.mask = wanted;
    return true;
  }
  Split &mine = warp.splits[warp.current];
  mine.state = Split::State::AtCollective;
  mine.mask = warp.active;
  mine.pc = warp.pc - 1;
  mine.wanted = wanted;
  mine.place = place;
  mine.executing = warp.mask;
  warp.leave = true;
  return false;
}

/// Lanes that wait at a join for lanes that wait for them (a lock) would wait for ever; hardware
/// promises progress, so they may go on alone.
void ThreadBlock::releaseStarved(Warp &warp) {
  warp.polls = 0;
  for (int at = 0, count = warp.splits.size(); at < count; ++at) {
    if (warp.splits[at].state != Split::State::Gathering || !warp.splits[at].gathered)
      continue;
    warp.starved = true;
    Split split = warp.splits[at];
    warp.splits[at].mask &= ~split.gathered;
    warp.splits[at].gathered = 0;
    int made = newSplit(warp, split.gathered, split.pc, split.reconverge, split.parent);
    warp.splits[made].calls = split.calls;
    settle(warp, at);
  }
}

} // namespace sparsec::sim
