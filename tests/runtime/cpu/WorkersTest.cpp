// Both kinds of workers, those of oneTBB and the static program's own: each item done once, by any
// number of threads, call after call.
#include "runtime/cpu/Workers.h"
#include "runtime/cpu/Deal.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace sparsec {
namespace {

TEST(Workers, DoEachItemOnce) {
  for (int threads : {1, 2, 3, 8}) {
    Workers workers(threads);
    for (int64_t items : {0, 1, 2, 7, 64, 1000})
      for (int call = 0; call < 20; ++call) {
        std::vector<std::atomic<int>> done(items);
        std::atomic<bool> known = true;
        workers.run(items, [&](int worker, int64_t item) {
          known = known && worker >= 0 && worker < threads;
          ++done[item];
        });
        EXPECT_TRUE(known);
        for (int64_t item = 0; item < items; ++item)
          ASSERT_EQ(done[item], 1) << "item " << item << " of " << items << ", " << threads;
      }
  }
}

TEST(Workers, AreWokenAfterALongPause) {
  Workers workers(2);
  for (int call = 0; call < 3; ++call) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20)); // no worker looks for so long
    std::atomic<int64_t> sum = 0;
    workers.run(100, [&](int, int64_t item) { sum += item; });
    EXPECT_EQ(sum, 4950);
  }
}

TEST(Workers, NobodyIsTwoAtOnce) {
  Workers workers(3);
  std::array<std::atomic<int>, 3> inside = {};
  std::atomic<bool> alone = true;
  workers.run(10'000, [&](int worker, int64_t) {
    alone = alone && inside[worker]++ == 0;
    inside[worker]--;
  });
  EXPECT_TRUE(alone) << "its scratch memory is one worker's";
}

/// Where the next run begins while a worker has its first item of the run that begins at `item`.
int64_t endOfRunAt(int64_t item, int64_t items, int workers) {
  Deal deal(items, workers);
  int64_t end = items;
  bool asked = false;
  deal.take([&](int64_t first) {
    if (first < item || asked)
      return;
    asked = true;
    deal.take([&](int64_t next) { end = std::min(end, next); });
  });
  return end;
}

TEST(Deal, RunsGetShorter) {
  EXPECT_EQ(endOfRunAt(0, 256, 2), 16) << "an eighth of each worker's half";
  EXPECT_EQ(endOfRunAt(16, 256, 2), 16 + 15);
  EXPECT_EQ(endOfRunAt(250, 256, 2), 251) << "one at a time in the end";
  EXPECT_EQ(endOfRunAt(0, 32, 16), 1);
}

} // namespace
} // namespace sparsec
