// What a layout of a million tokens may take, and the choice of a schedule: work is counted, so
// that a busy machine changes nothing; memory is measured in a process of its own, as bytes above
// what the process had when it began. ./dev budget measures the seconds.
#include "layout/cost/Cost.h"
#include "tests/Sanitized.h"
#include "tests/layout/Predicates.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sparsec::test {
namespace {

struct Taken {
  Work work;
  int64_t bytes = 0; ///< growth of the peak resident set
  BlockCounts counts;
  bool refused = false;
};

void say(const Work &work, const std::string &what) {
  fmt::print("{} questions, {} evaluations, {} runs: {}\n", work.questions, work.evaluations,
             work.runs, what);
}

int64_t peakBytes() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * int64_t{1024};
}

Taken measureHere(const Expr &attend, LayoutRequest request) {
  Taken taken;
  request.work = &taken.work;
  int64_t before = peakBytes();
  Result<BlockLayout> layout = BlockLayout::build(attend, request);
  taken.bytes = peakBytes() - before;
  if (layout)
    taken.counts = layout->counts();
  else
    taken.refused = layout.error().kind == ErrorKind::Machine;
  return taken;
}

/// In a child, whose peak begins at what it has.
Taken measure(const Expr &attend, const LayoutRequest &request) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    Taken taken = measureHere(attend, request);
    bool written = write(ends[1], &taken, sizeof taken) == sizeof taken;
    _exit(written ? 0 : 1);
  }
  close(ends[1]);
  Taken taken;
  EXPECT_EQ(read(ends[0], &taken, sizeof taken), static_cast<ssize_t>(sizeof taken));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  say(taken.work, fmt::format("{:.1f} MB, {} live blocks: {}", double(taken.bytes) / 1e6,
                              taken.counts.live, describe(attend, request)));
  return taken;
}

constexpr int64_t kMillion = 1'048'576;
constexpr LayoutRequest kMillionTokens = {
    .nq = kMillion, .nk = kMillion, .blockQ = 128, .blockK = 128};
constexpr int64_t kRows = kMillion / 128; // 8,192; squared, 67 million blocks
constexpr int64_t kMegabyte = 1'000'000;

class Budget : public ::testing::Test {
protected:
  void SetUp() override {
    if (kSanitized)
      GTEST_SKIP() << "memory is measured without sanitizers";
  }
};

TEST_F(Budget, LocalOverAMillionTokens) {
  Taken taken = measure(local(128), kMillionTokens);
  EXPECT_EQ(taken.counts, (BlockCounts{.live = 16'383, .full = 0, .partial = 16'383}));
  // Rows repeat. Found one by one, they would take two questions each.
  EXPECT_LT(taken.work.questions, 500);
  EXPECT_LT(taken.work.evaluations, 100);
  EXPECT_LT(taken.work.runs, kRows + 100) << "one a row";
  EXPECT_LT(taken.bytes, 32 * kMegabyte);
}

TEST_F(Budget, WithoutAPeriodToo) {
  // A window that widens: no row repeats another, each is found by classification.
  Taken taken = measure(predicate("0 <= q - k < 128 + q // 4096"), kMillionTokens);
  int64_t live = 0;
  for (int64_t i = 0; i < kRows; ++i) {
    int64_t firstKey = 128 * i - 127 - i / 32; // of the row's first query
    live += i - (firstKey < 0 ? 0 : firstKey / 128) + 1;
  }
  EXPECT_EQ(taken.counts.live, live);
  // Three or four blocks a row are cut out and looked into: twelve of each a row. A question for
  // every block would be 67 million.
  EXPECT_LT(taken.work.questions, 16 * kRows);
  EXPECT_LT(taken.work.evaluations, 16 * kRows);
  EXPECT_LE(taken.work.runs, live);
  EXPECT_LT(taken.bytes, 32 * kMegabyte);
}

TEST_F(Budget, MemoryFollowsTheRunsNotTheBlocks) {
  Taken dense = measure(predicate("q == q"), kMillionTokens);
  EXPECT_EQ(dense.counts.live, kRows * kRows);
  EXPECT_LT(dense.work.questions, 10);
  EXPECT_EQ(dense.work.evaluations, 0);
  EXPECT_EQ(dense.work.runs, kRows);
  EXPECT_LT(dense.bytes, 4 * kMegabyte);
}

TEST_F(Budget, NoStructureAtAll) {
  // Every block is looked into until a pair of each truth is found: work follows the blocks, and
  // neither the pairs (4 10^9, 256 evaluations a block) nor the runs of what turns out to be
  // uniform.
  constexpr int64_t blocks = 512 * 512;
  LayoutRequest request = {.nq = 65'536, .nk = 65'536, .blockQ = 128, .blockK = 128};
  Taken taken = measure(predicate("hash(q, k, 1) % 7 == 0"), request);
  EXPECT_EQ(taken.counts, (BlockCounts{.live = blocks, .full = 0, .partial = blocks}));
  EXPECT_LT(taken.work.questions, 5 * blocks) << "3.8 a block";
  EXPECT_LT(taken.work.evaluations, 14 * blocks) << "11.3 a block";
  EXPECT_LT(taken.bytes, 4 * kMegabyte);
}

TEST_F(Budget, WhatIsDrawnFollowsTheRows) {
  // 16,384 rows of 3 drawn blocks, beside a window and two columns: to halve each row down to them
  // would be 80 questions a row and more, each with all that is drawn.
  LayoutRequest request = {.nq = kMillion, .nk = kMillion};
  Taken drawn = measure(predicate("draw(3, q // 64, k // 64, n // 64, h)"), request);
  EXPECT_EQ(drawn.counts, (BlockCounts{.live = 49'152, .full = 49'152, .partial = 0}));
  EXPECT_LT(drawn.work.questions, 12 * 16'384);
  Taken bigbird = measure(predicate("abs(q // 64 - k // 64) <= 1 or k // 64 < 2 or "
                                    "draw(3, q // 64, k // 64, n // 64, h)"),
                          request);
  EXPECT_EQ(bigbird.counts.partial, 0);
  EXPECT_LT(bigbird.work.questions, 24 * 16'384);
  // Blocks of 128 rows draw twice as much each.
  request.blockQ = 128;
  Taken wide = measure(predicate("draw(3, q // 64, k // 64, n // 64, h)"), request);
  EXPECT_EQ(wide.counts.full + wide.counts.partial, wide.counts.live);
  EXPECT_LT(wide.work.questions, 24 * 8'192);
  // And what keys draw follows the columns.
  request.blockQ = 64;
  Taken byKeys = measure(predicate("draw(3, k // 64, q // 64, nq // 64, h)"), request);
  EXPECT_EQ(byKeys.counts, drawn.counts);
  EXPECT_LT(byKeys.work.questions, 12 * 16'384);
}

TEST_F(Budget, WhatIsRefusedIsRefusedEarly) {
  LayoutRequest request = {.nq = kMillion, .nk = kMillion, .blockQ = 32, .blockK = 32};
  request.maximumBytes = 8 * kMegabyte;
  Taken taken = measure(predicate("hash(q // 32, k // 32, 1) % 2 == 0"), request);
  EXPECT_TRUE(taken.refused) << "some 3 GB of runs";
  EXPECT_LT(taken.bytes, 3 * request.maximumBytes);
  // It has room for 644,818 runs; all blocks are 10^9.
  auto most = request.maximumBytes / static_cast<int64_t>(sizeof(BlockRun));
  EXPECT_LT(taken.work.runs, 3 * most);
  EXPECT_LT(taken.work.questions, 10 * most);
}

/// What it takes to choose among these blocks.
Work workToWeigh(const Expr &attend, int64_t n) {
  Work work;
  Result<std::vector<Candidate>> all =
      weigh(attend, {.nq = n, .nk = n, .work = &work}, {.copies = 16}, CostTarget::of("sm_90", 2),
            {.blocks = {{64, 64}, {64, 32}, {32, 32}}});
  EXPECT_TRUE(all);
  say(work, fmt::format("to weigh {}, n = {}", print(attend), n));
  return work;
}

TEST(Weighing, LooksAtAFewRowsOfAMillion) {
  // Blocks of 32 have 32,768 rows; a question a row is more than this, three sizes of blocks
  // 65,536. Where rows repeat, counting a way exactly is a run a row.
  Work few = workToWeigh(local(1'024), kMillion);
  EXPECT_LT(few.questions + few.evaluations, 4'000);
  EXPECT_LT(few.runs, 2 * 32'768);
  // A row of strided attention in natural order has 1,024 blocks; a few of those rows are all.
  Work more = workToWeigh(column(1'024), kMillion);
  EXPECT_LT(more.questions, 80'000);
  EXPECT_LT(more.evaluations, 15'000);
  EXPECT_LT(more.runs, 3 * 32'768);
  // What is asked does not follow the rows (four times), nor the blocks (sixteen times).
  for (const Expr &attend : {local(1'024), column(1'024)})
    EXPECT_LT(2 * workToWeigh(attend, kMillion).questions,
              3 * workToWeigh(attend, kMillion / 4).questions);
}

TEST(Weighing, CountsBeforeItChooses) {
  // The first way is exact at any length where that is cheap, and so is natural order if it was
  // near.
  for (const char *text :
       {"0 <= q - k < 1024", "k <= q and (q - k) % 1024 == 0",
        "k <= q and (q // 64 == k // 64 or hash(q // 64, k // 64, h) % 4096 == 0)"}) {
    Result<std::vector<Candidate>> all =
        weigh(predicate(text), {.nq = kMillion, .nk = kMillion}, {.copies = 16},
              CostTarget::of("sm_90", 2), {.blocks = {{64, 64}, {128, 64}}});
    ASSERT_TRUE(all);
    EXPECT_TRUE(all->front().cost.exact) << text;
    for (const Candidate &each : *all)
      EXPECT_GE(each.cost.seconds, all->front().cost.seconds) << text;
  }
}

TEST(Weighing, EndsWhateverTheExpression) {
  // At the greatest length, with a fortieth of what a command has: what cannot be counted is
  // estimated, and that takes no more than a third of a second of a core.
  constexpr int64_t kMost = 2'147'483'647, kUnits = Ledger::kMostUnitsToCount / 40;
  bool ofKeys = false;
  for (const char *text :
       {"hash(q, k, h) % 7 == 0", "k <= q and (((q - k) % 1000003) % 1009) % 17 == 0",
        "k <= q and ((q % 1000003) % 1009) % 17 == ((k % 99991) % 997) % 13",
        "k <= q and (q - k) % 12345 == 0", "k <= q and (3 * q - 5 * k) % 777 < 5",
        "k <= q and q // 37 * 41 % 1001 == k // 13 % 999",
        "draw(3, q // 64, k // 64, n // 64, h)"}) {
    Ledger ledger(0, kUnits);
    CostShape shape{.copies = 16, .ofKeys = ofKeys};
    CostTarget target = CostTarget::of("sm_80", 2);
    LayoutRequest request = {.nq = kMost, .nk = kMost};
    Result<std::vector<Candidate>> all =
        weigh(predicate(text), request, shape, target, {.blocks = {{64, 64}, {32, 32}}}, ledger);
    ASSERT_TRUE(all) << text;
    ASSERT_TRUE(count(all->front(), request, shape, target, ledger)) << text;
    say(ledger.work(), fmt::format("and {} units, of {}", ledger.work().units, text));
    EXPECT_LT(ledger.work().units, kUnits + 330'000'000) << text;
    ofKeys = !ofKeys;
  }
}

TEST(Weighing, PartsOfAWayDifferInTheirOrders) {
  // Two parts in the same orders have each block that their union has, and some twice.
  for (const std::string &name : zooNames()) {
    Result<Pattern> pattern = parsePattern(zooFile(name));
    ASSERT_TRUE(pattern);
    for (const HeadEntry &head : pattern->heads) {
      Result<std::vector<Candidate>> all =
          weigh(simplify(head.attend), {.nq = 2'048, .nk = 2'048}, {.copies = 16},
                CostTarget::of("sm_90", 2), {.blocks = {{64, 64}, {64, 32}}});
      ASSERT_TRUE(all);
      for (const Candidate &each : *all)
        for (size_t i = 0; i < each.parts.size(); ++i)
          for (size_t j = 0; j < i; ++j)
            EXPECT_TRUE(each.parts[i].queries != each.parts[j].queries ||
                        each.parts[i].keys != each.parts[j].keys)
                << name << ": " << ordersText(each.parts);
    }
  }
}

TEST(Weighing, HasOneTimeForDense) {
  // The dense pattern's own best way, whatever block a way has and whether keys end evenly.
  for (int64_t n : {4'096, 5'000}) {
    Choice choice{.blocks = {{64, 64}, {128, 64}, {128, 128}, {32, 32}}};
    auto ways = [&](const Expr &attend) {
      return *weigh(attend, {.nq = n, .nk = n}, {.copies = 4}, CostTarget::of("sm_80", 2), choice);
    };
    double dense = ways(make(Op::True, {})).front().cost.seconds;
    for (const Candidate &each : ways(column(128)))
      EXPECT_EQ(each.cost.denseSeconds, dense) << n;
  }
}

TEST(Weighing, OfTheZooSeesFewOfItsPairs) {
  for (const std::string &name : zooNames()) {
    Result<Pattern> pattern = parsePattern(zooFile(name));
    ASSERT_TRUE(pattern);
    // Windows that are moved inside on two axes, and frames that are thinned by their distance,
    // have more borders than others.
    int64_t times = name == "gna-2d" || name == "radial" ? 3 : 1;
    for (const HeadEntry &head : pattern->heads) {
      Work work = workToWeigh(simplify(head.attend), 4'096);
      // To evaluate each pair once, 64 of them at a time, would be 262,144.
      EXPECT_LT(work.questions, times * 40'000) << name;
      EXPECT_LT(work.evaluations, times * 60'000) << name;
      EXPECT_LT(work.runs, 10'000) << name;
    }
  }
}

} // namespace
} // namespace sparsec::test
