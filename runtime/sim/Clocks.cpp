#include "runtime/sim/Clocks.h"

#include <algorithm>

namespace sparsec::sim {

namespace {

void join(uint32_t *into, const uint32_t *from, size_t count) {
  for (size_t i = 0; i < count; ++i)
    into[i] = std::max(into[i], from[i]);
}

/// Calls `body(lane)` for each lane of the mask.
template <class Body>
void forLanes(uint32_t mask, Body body) {
  for (; mask; mask &= mask - 1)
    body(std::countr_zero(mask));
}

} // namespace

void Clocks::reset(int count) {
  warps = count;
  threads = count * 32;
  isDense = fences = overflow = false;
  clock.fill(1);
  versions.fill(0);
  for (auto &row : known)
    row.fill(0);
  dense.clear();
  released.clear();
  pending.clear();
  locations.clear();
}

void Clocks::tick(int warp) {
  if (++clock[warp] >= clockLimit)
    overflow = true;
  ++versions[warp];
}

void Clocks::makeDense() {
  if (isDense)
    return;
  isDense = true;
  dense.assign(size_t(threads) * threads, 0);
  for (int warp = 0; warp < warps; ++warp)
    for (int lane = 0; lane < 32; ++lane)
      for (int other = 0; other < warps; ++other)
        std::fill_n(row(warp, lane) + other * 32, 32, known[warp][other]);
}

bool Clocks::ordered(int warp, int lane, int byWarp, int byLane, uint32_t at) const {
  if (at <= known[warp][byWarp] || (warp == byWarp && lane == byLane && lane != wholeWarp))
    return true;
  if (!isDense)
    return false;
  int firstLane = lane == wholeWarp ? 0 : lane, lastLane = lane == wholeWarp ? 31 : lane;
  int firstBy = byLane == wholeWarp ? 0 : byLane, lastBy = byLane == wholeWarp ? 31 : byLane;
  for (int observer = firstLane; observer <= lastLane; ++observer)
    for (int by = firstBy; by <= lastBy; ++by)
      if (!(warp == byWarp && observer == by) && row(warp, observer)[byWarp * 32 + by] < at)
        return false;
  return true;
}

uint32_t Clocks::floor(int warp) const {
  uint32_t lowest = ~0u;
  for (int observer = 0; observer < warps; ++observer)
    lowest = std::min(lowest, known[observer][warp]);
  return lowest;
}

void Clocks::arrive(Barrier &barrier, int warp, uint32_t mask, uint32_t live) {
  if (mask != live)
    makeDense();
  if (isDense) {
    barrier.seenDense.resize(threads);
    forLanes(mask, [&](int lane) { joinInto(barrier.seenDense, warp, lane); });
  } else {
    join(barrier.seen.data(), known[warp].data(), warps);
    barrier.seen[warp] = std::max(barrier.seen[warp], clock[warp]);
  }
  tick(warp);
}

void Clocks::release(const Barrier &barrier, int warp, uint32_t mask) {
  ++versions[warp];
  if (!isDense)
    return join(known[warp].data(), barrier.seen.data(), warps);
  forLanes(mask, [&](int lane) {
    uint32_t *mine = row(warp, lane);
    for (int thread = 0; thread < threads; ++thread)
      mine[thread] = std::max(mine[thread], barrier.seen[thread / 32]);
    if (!barrier.seenDense.empty())
      learn(warp, lane, barrier.seenDense);
  });
}

void Clocks::completeBlock() {
  // Nobody has done anything since arriving, so all that was stamped before is known to all.
  for (int warp = 0; warp < warps; ++warp) {
    for (int other = 0; other < warps; ++other)
      known[warp][other] = clock[other] - 1;
    ++versions[warp];
  }
  isDense = fences = false;
  dense.clear();
  released.clear();
  pending.clear();
  locations.clear();
}

bool Clocks::wantsRebase() const {
  return *std::max_element(clock.begin(), clock.begin() + warps) > clockLimit / 2;
}

void Clocks::rebase() {
  for (int warp = 0; warp < warps; ++warp) {
    clock[warp] = rebased + 1;
    std::fill_n(known[warp].begin(), warps, rebased);
    ++versions[warp];
  }
}

void Clocks::syncWarp(int warp, uint32_t mask, uint32_t live) {
  if (mask != live)
    makeDense();
  if (isDense) {
    Knowledge together(threads);
    forLanes(mask, [&](int lane) { joinInto(together, warp, lane); });
    forLanes(mask, [&](int lane) { learn(warp, lane, together); });
  }
  if (mask == live)
    known[warp][warp] = clock[warp];
  tick(warp);
}

void Clocks::joinInto(Knowledge &to, int warp, int lane) {
  join(to.data(), row(warp, lane), threads);
  uint32_t &own = to[warp * 32 + lane];
  own = std::max(own, clock[warp]);
}

void Clocks::learn(int warp, int lane, const Knowledge &from) {
  join(row(warp, lane), from.data(), threads);
}

void Clocks::startFences() {
  makeDense();
  fences = true;
  released.resize(threads);
  pending.resize(threads);
}

void Clocks::fence(int warp, uint32_t mask) {
  if (!fences)
    startFences();
  forLanes(mask, [&](int lane) {
    Knowledge &acquired = pending[warp * 32 + lane];
    if (!acquired.empty())
      learn(warp, lane, acquired);
    acquired.clear();
    Knowledge snapshot(threads);
    joinInto(snapshot, warp, lane);
    released[warp * 32 + lane] = std::move(snapshot);
  });
  tick(warp);
}

void Clocks::strongWrite(int warp, int lane, uint64_t location, bool releases, bool readsToo) {
  Knowledge now;
  if (releases) {
    now.resize(threads);
    joinInto(now, warp, lane);
    tick(warp);
  }
  const Knowledge &published = releases ? now : released[warp * 32 + lane];
  Knowledge &at = locations[location];
  // A read-modify-write continues the release sequence; a plain strong write starts a new one.
  if (!readsToo || at.empty())
    at = published;
  else if (!published.empty())
    join(at.data(), published.data(), threads);
}

void Clocks::strongRead(int warp, int lane, uint64_t location, bool acquires) {
  auto found = locations.find(location);
  if (found == locations.end() || found->second.empty())
    return;
  if (acquires) {
    learn(warp, lane, found->second);
    ++versions[warp];
    return;
  }
  Knowledge &acquired = pending[warp * 32 + lane];
  if (acquired.empty())
    acquired = found->second;
  else
    join(acquired.data(), found->second.data(), threads);
}

} // namespace sparsec::sim
