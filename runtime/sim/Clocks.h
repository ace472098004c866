// Happens-before inside one thread block: who has seen whose memory accesses.
//
// Every warp has a clock that ticks whenever some of its threads release (arrive at a barrier,
// bar.warp.sync, a fence). An access is stamped (warp, lane, clock) and is ordered before what a
// thread does now if that thread knows the stamping thread up to that clock:
//
//   warp 0:  st a   [clock 1]   bar.sync  -> clock 2, knows warp 1 up to 1
//   warp 1:  st b   [clock 1]   bar.sync  -> clock 2, knows warp 0 up to 1   ld a: 1 <= 1, ordered
//
// As long as whole warps synchronise (all live lanes), knowledge is one number per pair of warps
// (`known`). The first operation by a part of a warp, and the first fence or acquire or release,
// makes knowledge one number per pair of threads (`dense`); a barrier of the whole block makes it
// uniform again. known is always a lower bound of dense.
//
// A thread that has exited counts as arrived at whatever it would have had to arrive at.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace sparsec::sim {

/// The lane of a stamp of all lanes at once (ldmatrix, ...).
constexpr int wholeWarp = 32;
constexpr int maxWarps = 32;

class Clocks {
public:
  static constexpr uint32_t clockLimit = (1u << 19) - 1;

  void reset(int warps);

  uint32_t now(int warp) const { return clock[warp]; }
  /// Changes whenever an answer of ordered() for this warp may change.
  uint32_t version(int warp) const { return versions[warp]; }
  const uint32_t *knownBy(int warp) const { return known[warp].data(); }
  bool overflowed() const { return overflow; }

  /// Whether what (byWarp, byLane) did at `at` happens before what (warp, lane) does now.
  bool ordered(int warp, int lane, int byWarp, int byLane, uint32_t at) const;
  /// Every thread knows this warp up to here.
  uint32_t floor(int warp) const;

  struct Barrier {
    std::array<uint32_t, maxWarps> seen = {};
    std::vector<uint32_t> seenDense;
  };
  /// `mask` of the `live` lanes of a warp arrive; what they know joins the barrier.
  void arrive(Barrier &barrier, int warp, uint32_t mask, uint32_t live);
  /// The waiting lanes learn what the barrier has seen.
  void release(const Barrier &barrier, int warp, uint32_t mask);
  /// Every live thread of the block has been released.
  void completeBlock();
  /// After completeBlock(): whether clocks are half-way to their limit; then they can start again,
  /// if every stamp is made `rebased`.
  bool wantsRebase() const;
  void rebase();
  static constexpr uint32_t rebased = 1; ///< known to everyone

  void syncWarp(int warp, uint32_t mask, uint32_t live);

  /// fence.acq_rel, membar: orders what is before it with later strong accesses, and earlier strong
  /// reads with what is after it.
  void fence(int warp, uint32_t mask);
  /// A strong write (also the write of an atomic) to a location, with or without .release.
  void strongWrite(int warp, int lane, uint64_t location, bool releases, bool readsToo);
  void strongRead(int warp, int lane, uint64_t location, bool acquires);
  /// Whether fences, acquires or releases have been seen, so that strong accesses matter.
  bool usesFences() const { return fences; }
  void startFences();

private:
  using Knowledge = std::vector<uint32_t>;

  void tick(int warp);
  void makeDense();
  uint32_t *row(int warp, int lane) {
    return dense.data() + std::size_t(warp * 32 + lane) * threads;
  }
  const uint32_t *row(int warp, int lane) const {
    return dense.data() + std::size_t(warp * 32 + lane) * threads;
  }
  void joinInto(Knowledge &to, int warp, int lane);
  void learn(int warp, int lane, const Knowledge &from);

  int warps = 0, threads = 0;
  bool isDense = false, fences = false, overflow = false;
  std::array<uint32_t, maxWarps> clock = {}, versions = {};
  std::array<std::array<uint32_t, maxWarps>, maxWarps> known = {};
  std::vector<uint32_t> dense; ///< [threads][threads]; own entry unused

  /// What a thread's last fence released, and what its strong reads will acquire at the next one.
  std::vector<Knowledge> released, pending;
  std::unordered_map<uint64_t, Knowledge> locations; ///< released at a location
};

} // namespace sparsec::sim
