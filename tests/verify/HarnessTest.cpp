// The harness finds what it claims to find: a correct device passes every case, and each way of
// being wrong fails at least one.
#include "tests/Sanitized.h"
#include "tests/verify/OracleDevice.h"
#include "tests/verify/RandomCase.h"
#include "tools/verify/ops/backward/Case.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace sparsec {
namespace {

using testing::Bug;
using testing::OracleDevice;

Pattern patternOf(std::vector<std::string> predicates) {
  Pattern pattern{.name = "test"};
  for (const std::string &text : predicates) {
    auto parsed = parsePredicate(std::make_shared<SourceText>(SourceText{"test", text}));
    EXPECT_TRUE(parsed) << parsed.error().render();
    pattern.heads.push_back({.name = "head" + std::to_string(pattern.heads.size()),
                             .attend = *parsed,
                             .schedule = {.orderQ = NaturalOrder{},
                                          .orderK = NaturalOrder{},
                                          .split = SplitChoice::Never}});
  }
  return pattern;
}

/// Local attention of two widths, one of them by head; the second entry has full blocks.
Pattern mixed() {
  return patternOf({"k <= q and q - k < 20 + 16 * h", "k <= q and q - k < 150"});
}

/// The first thing wrong, or nothing.
std::string firstFailure(Bug bug, const Pattern &pattern, const std::vector<ForwardCase> &cases,
                         testing::Sums sums = testing::Sums::Forwards) {
  OracleDevice device(bug, sums);
  Verifier verifier(
      {device, pattern, *findTarget("sm_80"), device.compiler(), BlockSource::Tables});
  for (const ForwardCase &c : cases) {
    Result<std::vector<VerifyRow>> rows = verifier.run(c);
    if (!rows)
      return "error: " + rows.error().message;
    for (const VerifyRow &row : *rows)
      if (!row.passed)
        return describe(c) + ": " + row.head + ": " + row.output + ": " + row.detail;
  }
  return "";
}

TEST(Harness, ACorrectDevicePassesTheDefaultCases) {
  EXPECT_EQ(firstFailure(Bug::None, mixed(), defaultForwardCases(mixed())), "");
}

TEST(Harness, EveryBugIsFoundByTheDefaultCases) {
  for (Bug bug : testing::allBugs())
    EXPECT_NE(firstFailure(bug, mixed(), defaultForwardCases(mixed())), "") << name(bug);
}

/// What `-n 40` asks for.
std::vector<ForwardCase> casesOfALength(const Pattern &pattern) {
  std::vector<ForwardCase> cases;
  auto heads = static_cast<int64_t>(pattern.heads.size());
  for (const VerifyCase &c : forwardCases(pattern, {.set = CaseFlags::Set::One,
                                                   .n = 40,
                                                   .dtype = DType::F32,
                                                   .heads = heads,
                                                   .kvHeads = heads}))
    cases.push_back(*c.as<ForwardCase>());
  return cases;
}

TEST(Harness, EveryBugIsFoundByTheCasesOfALength) {
  // Heads differ in their blocks at 40 tokens too: the first one has none.
  Pattern pattern = patternOf({"k <= q and q - k < 20 * h", "k <= q and q - k < 150"});
  std::vector<ForwardCase> cases = casesOfALength(pattern);
  EXPECT_EQ(firstFailure(Bug::None, pattern, cases), "");
  for (Bug bug : testing::allBugs())
    EXPECT_NE(firstFailure(bug, pattern, cases), "") << name(bug);
}

/// Products that cancel: one key, whose score is far smaller than what it is summed from, so that
/// another order of the sum is further off than `plain` is.
ForwardCase cancelling(uint64_t seed) {
  return {.dtype = DType::F32,
          .headDim = 16,
          .valueDim = 16,
          .n = 1,
          .nq = 1,
          .heads = 1,
          .kvHeads = 1,
          .seed = seed};
}

TEST(Harness, TheBoundOfLseKnowsThatScoresCancel) {
  std::vector<ForwardCase> cases;
  for (int seed = 1; seed <= 50; ++seed)
    cases.push_back(cancelling(seed));
  Pattern pattern = patternOf({"k <= q"});
  EXPECT_EQ(firstFailure(Bug::None, pattern, cases, testing::Sums::Backwards), "");
  EXPECT_NE(firstFailure(Bug::LseBase2, pattern, {cancelling(4)}), "");
}

TEST(Harness, KnowsOperationsByItsTableAlone) {
  OracleDevice device;
  Pattern pattern = mixed();
  Verifier verifier({device, pattern, *findTarget("sm_80"), device.compiler()},
                    std::span<const VerifyOperation>());
  auto rows = verifier.run(cancelling(1));
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().message, "no verification of 'forward'");
}

TEST(Harness, RandomPatternsPassOnACorrectDevice) {
  OracleDevice device;
  for (int seed = 1; seed <= 100; ++seed) {
    if (isLeftOut(seed))
      continue;
    EXPECT_EQ(testing::runRandomCase(seed, device, device.compiler(), testing::Schedules::Natural),
              "");
  }
}

TEST(Harness, FreesWhatItAllocates) {
  OracleDevice device;
  Pattern pattern = mixed();
  {
    Verifier verifier(
        {device, pattern, *findTarget("sm_80"), device.compiler(), BlockSource::Tables});
    ASSERT_TRUE(verifier.run(defaultForwardCases(pattern)[0]));
  }
  EXPECT_EQ(device.liveAllocations(), 0u);
}

TEST(Harness, RowsCarryWhatTheReportNeeds) {
  OracleDevice device;
  Pattern pattern = mixed();
  Verifier verifier(
      {device, pattern, *findTarget("sm_80"), device.compiler(), BlockSource::Tables});
  ForwardCase c{.dtype = DType::F16, .headDim = 16, .valueDim = 32, .n = 20, .nq = 20, .heads = 2};
  auto rows = verifier.run(c);
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 4u);
  EXPECT_EQ((*rows)[0].head, "head0");
  EXPECT_EQ((*rows)[0].output, "out");
  EXPECT_EQ((*rows)[1].output, "lse");
  EXPECT_EQ((*rows)[2].head, "head1");
  for (const VerifyRow &row : *rows) {
    EXPECT_TRUE(row.passed) << row.detail;
    EXPECT_GT(row.bound, 0);
    EXPECT_GE(row.error, 0);
  }
  EXPECT_EQ(describe(c), "f16, head dim 16, value dim 32, n 20, 1 x 2 heads (1 kv), BHSD");
}

/// Of forward or backward.
template <class C>
void expectTheMatrix(const std::vector<C> &cases) {
  for (DType type : {DType::BF16, DType::F16, DType::F32})
    for (int headDim : {16, 64, 80, 128, 256}) {
      bool ragged = false, longer = false, shorter = false, grouped = false, values = false;
      bool orders[2] = {};
      for (const C &c : cases) {
        if (c.dtype != type || c.headDim != headDim)
          continue;
        ragged |= c.n % 16 != 0;
        longer |= c.nq > c.n;
        shorter |= c.nq < c.n;
        grouped |= c.kvHeads < c.heads;
        values |= c.valueDim != c.headDim;
        orders[static_cast<int>(c.order)] = true;
      }
      EXPECT_TRUE(ragged && longer && shorter && grouped && values && orders[0] && orders[1])
          << name(type) << " " << headDim;
    }
}

TEST(Harness, FullCasesCoverTheMatrix) {
  expectTheMatrix(fullForwardCases(mixed()));
  expectTheMatrix(fullBackwardCases(mixed()));
}

TEST(Harness, BackwardCountsInEachGradientWithAndWithoutDlse) {
  for (const std::vector<BackwardCase> &cases :
       {defaultBackwardCases(mixed()), fullBackwardCases(mixed())}) {
    int counting[4] = {}, dlse[2] = {}, types[3] = {};
    for (const BackwardCase &c : cases) {
      ++counting[static_cast<int>(c.counting)];
      ++dlse[static_cast<int>(c.dlse)];
      ++types[static_cast<int>(c.dtype)];
    }
    EXPECT_TRUE(std::ranges::all_of(counting, [](int count) { return count > 0; }));
    EXPECT_TRUE(std::ranges::all_of(dlse, [](int count) { return count > 0; }));
    EXPECT_TRUE(std::ranges::all_of(types, [](int count) { return count > 0; }));
  }
}

} // namespace
} // namespace sparsec
