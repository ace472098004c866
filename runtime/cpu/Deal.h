// Work items dealt to workers: many at once while many are left, one at a time in the end.
//
//   256 items, 2 workers    16 15 14 13 12 11 ... 2 2 2 1 1 1 1
//
// Neighbouring rows read the same blocks of keys, so a run of them is best off in one core's cache;
// the last items are small change, so that nobody waits long for the slowest.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace sparsec {

class Deal {
public:
  Deal(int64_t items, int workers) : items(items), shares(kShares * workers) {}

  /// Calls work(item) for items that nobody else gets, until none are left.
  template <class Work>
  void take(Work &&work) {
    int64_t first = next.load(std::memory_order_relaxed);
    while (first < items) {
      int64_t count = std::max<int64_t>((items - first) / shares, 1);
      if (!next.compare_exchange_weak(first, first + count, std::memory_order_relaxed))
        continue;
      for (int64_t item = first; item < first + count; ++item)
        work(item);
      first = next.load(std::memory_order_relaxed);
    }
  }

private:
  static constexpr int64_t kShares = 8; ///< of what is left, for each worker
  const int64_t items, shares;
  std::atomic<int64_t> next = 0;
};

} // namespace sparsec
