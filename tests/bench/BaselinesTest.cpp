// The baselines compute what they claim to: a wrong one, or one that is slow by mistake, would
// flatter everything that is measured against it.
#include "patterns/ReadPattern.h"
#include "patterns/Zoo.h"
#include "tests/reference/Attention.h"
#include "tests/reference/Comparison.h"
#include "tools/bench/BlasAttention.h"
#include "tools/bench/Lanes.h"
#include "tools/bench/PeakFma.h"
#include "tools/verify/Random.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>

namespace sparsec {
namespace {

Expr zooPredicate(const char *name) {
  return parsePattern(zooFile(name), {})->heads[0].attend;
}

TEST(Team, EveryMemberRunsOnceARound) {
  for (int threads = 1; threads <= 4; ++threads) {
    Team team(threads);
    ASSERT_EQ(team.size(), threads);
    for (int round = 0; round < 100; ++round) {
      std::vector<int> calls(threads);
      team.run([&](int member) { ++calls[member]; });
      EXPECT_EQ(calls, std::vector<int>(threads, 1));
    }
    std::vector<std::atomic<int>> items(1000);
    team.each(1000, [&](int64_t i, int) { ++items[i]; });
    for (const auto &item : items)
      EXPECT_EQ(item, 1);
  }
}

TEST(PeakFma, RunsForEveryType) {
  Team team(1);
  for (DType dtype : {DType::F32, DType::F16, DType::BF16}) {
    PeakFma peak(dtype);
    EXPECT_FALSE(peak.instructions().empty());
    EXPECT_GT(peak.flops(1), 1e8);
    EXPECT_EQ(peak.flops(3), 3 * peak.flops(1));
    peak.run(team);
  }
}

TEST(Exponentials, AgreeWithTheLibrary) {
  for (int lanes : {4, 8, 16}) {
    if (lanes > lanesOfThisCpu())
      continue;
    for (int64_t count : {1, 3, 4, 15, 16, 17, 64, 1000, 4099}) {
      Random random(count);
      std::vector<float> row(count);
      for (float &x : row)
        x = 25 * random.normal();
      std::vector<float> before = row;
      float maximum = *std::max_element(before.begin(), before.end());
      double sum = 0;
      SoftmaxRow found = exponentials(lanes, row.data(), count);
      EXPECT_EQ(found.maximum, maximum);
      for (int64_t i = 0; i < count; ++i) {
        double exact = std::exp(double(before[i] - maximum));
        EXPECT_NEAR(row[i], exact, 1e-6 * exact + 1e-37) << before[i] << " of " << count;
        sum += exact;
      }
      EXPECT_NEAR(found.sum, sum, 1e-6 * sum);
    }
  }
}

TEST(BlasAttention, AgreesWithTheReference) {
  Result<OpenBlas> blas = OpenBlas::open();
  if (!blas)
    GTEST_SKIP() << blas.error().message;
  EXPECT_EQ(blas->description().substr(0, 9), "OpenBLAS ");
  reference::AttentionProblem problem{
      .attend = {zooPredicate("dense")},
      .batch = 2,
      .heads = 4,
      .kvHeads = 2,
      .nq = 150,
      .n = 131,
      .headDim = 48,
      .valueDim = 80,
      .scale = 1 / std::sqrt(48.0f),
  };
  Random random(1);
  for (auto [values, size] :
       {std::pair{&problem.q, 2 * 4 * 150 * 48}, std::pair{&problem.k, 2 * 2 * 131 * 48},
        std::pair{&problem.v, 2 * 2 * 131 * 80}})
    for (int i = 0; i < size; ++i)
      values->push_back(2 * random.normal());
  auto exact = reference::exact(problem);
  auto plain = reference::plain(problem, [](float x) { return x; });

  Team team(3);
  std::vector<float> out(exact.out.size(), NAN), lse(exact.lse.size(), NAN);
  BlasAttention attention(*blas,
                          {.batch = 2,
                           .heads = 4,
                           .kvHeads = 2,
                           .nq = 150,
                           .n = 131,
                           .headDim = 48,
                           .valueDim = 80,
                           .q = problem.q.data(),
                           .k = problem.k.data(),
                           .v = problem.v.data(),
                           .out = out.data(),
                           .lse = lse.data()},
                          team.size());
  attention.run(team);
  for (auto [found, right, simple] :
       {std::tuple{&out, &exact.out, &plain.out}, std::tuple{&lse, &exact.lse, &plain.lse}}) {
    reference::Comparison comparison;
    for (size_t i = 0; i < found->size(); ++i)
      comparison.add((*found)[i], (*right)[i], (*simple)[i], i);
    EXPECT_LE(comparison.error(), comparison.bound(8));
  }
  EXPECT_EQ(attention.flops(BlasPart::Attention), 2.0 * 8 * 150 * 131 * 128);
  EXPECT_EQ(attention.flops(BlasPart::Scores) + attention.flops(BlasPart::Output),
            attention.flops(BlasPart::Attention));
}

} // namespace
} // namespace sparsec
