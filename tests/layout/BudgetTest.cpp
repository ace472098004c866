// What a layout of a million tokens may take, measured in a process of its own: half a second and
// 32 MB above what the process had when it began. And what it takes to choose a schedule.
#include "layout/cost/Cost.h"
#include "tests/Sanitized.h"
#include "tests/layout/Predicates.h"

#include <chrono>
#include <ctime>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sparsec::test {
namespace {

struct Cost {
  double seconds = 0;
  int64_t bytes = 0; ///< growth of the peak resident set
  BlockCounts counts;
  bool refused = false;
};

int64_t peakBytes() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * int64_t{1024};
}

Cost measureHere(const Expr &attend, const LayoutRequest &request) {
  Cost cost;
  int64_t before = peakBytes();
  auto start = std::chrono::steady_clock::now();
  Result<BlockLayout> layout = BlockLayout::build(attend, request);
  cost.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  cost.bytes = peakBytes() - before;
  if (layout)
    cost.counts = layout->counts();
  else
    cost.refused = layout.error().kind == ErrorKind::Machine;
  return cost;
}

/// In a child, whose peak begins at what it has.
Cost measure(const Expr &attend, const LayoutRequest &request) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    Cost cost = measureHere(attend, request);
    bool written = write(ends[1], &cost, sizeof cost) == sizeof cost;
    _exit(written ? 0 : 1);
  }
  close(ends[1]);
  Cost cost;
  EXPECT_EQ(read(ends[0], &cost, sizeof cost), static_cast<ssize_t>(sizeof cost));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  std::printf("%.1f ms, %.1f MB, %lld live blocks: %s\n", cost.seconds * 1e3,
              static_cast<double>(cost.bytes) / 1e6, static_cast<long long>(cost.counts.live),
              describe(attend, request).c_str());
  return cost;
}

constexpr int64_t kMillion = 1'048'576;
constexpr LayoutRequest kMillionTokens = {
    .nq = kMillion, .nk = kMillion, .blockQ = 128, .blockK = 128};
constexpr int64_t kMegabyte = 1'000'000;

class Budget : public ::testing::Test {
protected:
  void SetUp() override {
    if (kSanitized)
      GTEST_SKIP() << "time and memory are measured without sanitizers";
  }
};

TEST_F(Budget, LocalOverAMillionTokens) {
  Cost cost = measure(local(128), kMillionTokens);
  EXPECT_EQ(cost.counts, (BlockCounts{.live = 16'383, .full = 0, .partial = 16'383}));
  EXPECT_LT(cost.seconds, 0.5);
  EXPECT_LT(cost.bytes, 32 * kMegabyte);
}

TEST_F(Budget, WithoutAPeriodToo) {
  // A window that widens: no row repeats another, each is found by classification.
  Cost cost = measure(predicate("0 <= q - k < 128 + q // 4096"), kMillionTokens);
  int64_t live = 0;
  for (int64_t i = 0; i < 8192; ++i) {
    int64_t firstKey = 128 * i - 127 - i / 32; // of the row's first query
    live += i - (firstKey < 0 ? 0 : firstKey / 128) + 1;
  }
  EXPECT_EQ(cost.counts.live, live);
  EXPECT_LT(cost.seconds, 0.5);
  EXPECT_LT(cost.bytes, 32 * kMegabyte);
}

TEST_F(Budget, MemoryFollowsTheRunsNotTheBlocks) {
  Cost dense = measure(predicate("q == q"), kMillionTokens);
  EXPECT_EQ(dense.counts.live, 8192 * 8192);
  EXPECT_LT(dense.bytes, 4 * kMegabyte);
  EXPECT_LT(dense.seconds, 0.1);
}

TEST_F(Budget, NoStructureAtAll) {
  // Every block is looked into until a pair of each truth is found: time follows the blocks, and
  // neither the pairs (4 10^9) nor the runs of what turns out to be uniform.
  LayoutRequest request = {.nq = 65'536, .nk = 65'536, .blockQ = 128, .blockK = 128};
  Cost cost = measure(predicate("hash(q, k, 1) % 7 == 0"), request);
  EXPECT_EQ(cost.counts, (BlockCounts{.live = 512 * 512, .full = 0, .partial = 512 * 512}));
  EXPECT_LT(cost.seconds, 5);
  EXPECT_LT(cost.bytes, 4 * kMegabyte);
}

TEST_F(Budget, WhatIsRefusedIsRefusedEarly) {
  LayoutRequest request = {.nq = kMillion, .nk = kMillion, .blockQ = 32, .blockK = 32};
  request.maximumBytes = 4 * kMegabyte;
  Cost cost = measure(predicate("hash(q // 32, k // 32, 1) % 2 == 0"), request);
  EXPECT_TRUE(cost.refused) << "some 3 GB of runs";
  EXPECT_LT(cost.bytes, 3 * request.maximumBytes);
  EXPECT_LT(cost.seconds, 5);
}

/// Milliseconds to choose among these blocks, the least of some runs: others may use the machine.
double millisecondsToWeigh(const Expr &attend, int64_t n) {
  double least = 1e9;
  for (int run = 0; run < 5; ++run) {
    std::clock_t start = std::clock(); // of this process: other work on the machine does not count
    Result<std::vector<Candidate>> all =
        weigh(attend, {.nq = n, .nk = n}, {.copies = 16}, CostTarget::of("sm_90", 2),
              {.blocks = {{64, 64}, {64, 32}, {32, 32}}});
    EXPECT_TRUE(all);
    least = std::min(least, 1e3 * double(std::clock() - start) / CLOCKS_PER_SEC);
  }
  std::printf("%.2f ms to weigh %s, n = %lld\n", least, print(attend).c_str(),
              static_cast<long long>(n));
  return least;
}

TEST_F(Budget, ChoosingForAMillionTokens) {
  EXPECT_LT(millisecondsToWeigh(local(1'024), kMillion), 50);
  EXPECT_LT(millisecondsToWeigh(column(1'024), kMillion), 50);
}

TEST_F(Budget, ChoosingForTheZoo) {
  for (const std::string &name : zooNames()) {
    Result<Pattern> pattern = parsePattern(zooFile(name));
    ASSERT_TRUE(pattern);
    for (const HeadEntry &head : pattern->heads)
      EXPECT_LT(millisecondsToWeigh(simplify(head.attend), 4'096), 60) << name;
  }
}

} // namespace
} // namespace sparsec::test
