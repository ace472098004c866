// The references against numbers worked by hand, and gradients against differences.
#include "tests/reference/AttentionBackward.h"
#include "tests/reference/Comparison.h"
#include "tests/verify/SmallZoo.h"
#include "tools/verify/HostTensor.h"
#include "tools/verify/Random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace sparsec::reference {
namespace {

Expr parse(const std::string &text) {
  auto parsed = parsePredicate(std::make_shared<SourceText>(SourceText{"test", text}));
  EXPECT_TRUE(parsed) << parsed.error().render();
  return *parsed;
}

float same(float value) {
  return value;
}

/// One head, head dim 1: q = 1 2, k = ln 1, ln 3, 1000 (not attended), v = (1 0) (0 1) (7 7).
AttentionProblem small(const std::string &predicate) {
  return {.attend = {parse(predicate)},
          .nq = 2,
          .n = 3,
          .q0 = 1,
          .headDim = 1,
          .valueDim = 2,
          .scale = 1,
          .q = {1, 2},
          .k = {0, std::log(3.0f), 1000},
          .v = {1, 0, 0, 1, 7, 7}};
}

TEST(Reference, WeighsByTheExponential) {
  AttentionResult<double> result = exact(small("k < 2"));
  // Scores 0, ln 3 for query 0; 0, ln 9 for query 1.
  EXPECT_NEAR(result.out[0], 1.0 / 4, 1e-7);
  EXPECT_NEAR(result.out[1], 3.0 / 4, 1e-7);
  EXPECT_NEAR(result.out[2], 1.0 / 10, 1e-7);
  EXPECT_NEAR(result.out[3], 9.0 / 10, 1e-7);
  EXPECT_NEAR(result.lse[0], std::log(4.0), 1e-7);
  EXPECT_NEAR(result.lse[1], std::log(10.0), 1e-7);
  AttentionResult<float> f32 = plain(small("k < 2"), same);
  for (int i = 0; i < 4; ++i)
    EXPECT_NEAR(f32.out[i], result.out[i], 1e-6);
}

TEST(Reference, RowsWithoutKeys) {
  // Positions of the queries are 1 and 2: the first sees nothing.
  for (const char *predicate : {"q == 2 and k < 1", "q == nq and k == n - 3"}) {
    AttentionResult<double> result = exact(small(predicate));
    EXPECT_EQ(result.out[0], 0);
    EXPECT_EQ(result.out[1], 0);
    EXPECT_EQ(result.lse[0], -std::numeric_limits<double>::infinity());
    EXPECT_EQ(result.out[2], 1);
    EXPECT_EQ(result.out[3], 0);
    EXPECT_EQ(result.lse[1], 0);
  }
}

TEST(Reference, HeadsTakeEntriesInTurnAndShareKeys) {
  AttentionProblem p{.attend = {parse("k == h"), parse("k == h - 1")},
                     .batch = 2,
                     .heads = 4,
                     .kvHeads = 2,
                     .nq = 1,
                     .n = 3,
                     .q0 = 2,
                     .headDim = 1,
                     .valueDim = 1,
                     .q = std::vector<float>(8, 1),
                     .k = std::vector<float>(12, 1),
                     .v = {0, 1, 2, 10, 11, 12, 20, 21, 22, 30, 31, 32}};
  // Head h sees key 0 0 2 2; kv head 0 0 1 1.
  EXPECT_EQ(exact(p).out, (std::vector<double>{0, 0, 12, 12, 20, 20, 32, 32}));
  EXPECT_EQ(attended(p, 2), (std::vector<uint8_t>{0, 0, 1}));
}

TEST(Reference, PlainRoundsPAndOut) {
  // P = 1/3 rounded to bf16 is 0.333984375; times 3 keys of v = 1 it is 1.001953125, in bf16 1.
  AttentionProblem p{.attend = {parse("k < 3")},
                     .nq = 1,
                     .n = 3,
                     .headDim = 1,
                     .valueDim = 2,
                     .q = {0},
                     .k = {0, 0, 0},
                     .v = {1, 1, 1, 0, 1, 0}};
  std::vector<float> out = plain(p, rounding(DType::BF16)).out;
  EXPECT_EQ(out[0], 1.0f);
  EXPECT_EQ(out[1], 0.333984375f);
}

/// What a row's lse is rounded at: its scores may be far smaller than their products.
TEST(Reference, SaysHowLargeTheTermsOfAScoreAre) {
  AttentionProblem p{.attend = {parse("k != 1 and q != 7")},
                     .nq = 2,
                     .n = 3,
                     .q0 = 6,
                     .headDim = 2,
                     .valueDim = 1,
                     .scale = 0.5,
                     .q = {1.5, 2, 1, 1},
                     .k = {2, -1.5, 9, 9, -1, 0.25},
                     .v = {1, 1, 1}};
  AttentionResult<double> result = exact(p);
  EXPECT_EQ(result.lseTerms, (std::vector<double>{3, 0})); // (3 + 3) / 2, though the score is 0
  EXPECT_EQ(result.lse[0], std::log(1 + std::exp(-0.5)));
}

/// Multiples of 2^-10, so that a step of that size is exact in f32.
std::vector<float> gridNumbers(Random &random, int64_t count) {
  std::vector<float> numbers(count);
  for (float &number : numbers)
    number = std::round(random.normal() * 0x1p10f) * 0x1p-10f;
  return numbers;
}

/// Heads that share kv heads with those of other entries, fewer query rows than keys, a value dim
/// of its own.
BackwardProblem smallBackward(const Pattern &pattern, Random &random) {
  int64_t entries = static_cast<int64_t>(pattern.heads.size());
  AttentionProblem p{.batch = 2,
                     .heads = 2 * entries,
                     .kvHeads = entries,
                     .nq = 11,
                     .n = 12,
                     .q0 = 1,
                     .headDim = 3,
                     .valueDim = 2,
                     .scale = 0.5};
  for (const HeadEntry &entry : pattern.heads)
    p.attend.push_back(entry.attend);
  int64_t rows = p.batch * p.heads * p.nq, keys = p.batch * p.kvHeads * p.n;
  p.q = gridNumbers(random, rows * p.headDim);
  p.k = gridNumbers(random, keys * p.headDim);
  p.v = gridNumbers(random, keys * p.valueDim);
  return {.forward = p,
          .dout = gridNumbers(random, rows * p.valueDim),
          .dlse = gridNumbers(random, rows)};
}

/// What dout and dlse are the gradient of: a linear functional of out and lse, where there is one.
double functional(const BackwardProblem &problem) {
  AttentionResult<double> result = exact(problem.forward);
  double sum = 0;
  for (size_t i = 0; i < result.out.size(); ++i)
    sum += problem.dout[i] * result.out[i];
  for (size_t i = 0; i < result.lse.size(); ++i)
    if (std::isfinite(result.lse[i]))
      sum += problem.dlse[i] * result.lse[i];
  return sum;
}

/// Of the functional, by the numbers of one tensor: how far off `gradient` is at most.
double offFromDifferences(BackwardProblem &problem, std::vector<float> AttentionProblem::*tensor,
                          const std::vector<double> &gradient) {
  constexpr float kStep = 0x1p-10f;
  std::vector<float> &numbers = problem.forward.*tensor;
  EXPECT_EQ(numbers.size(), gradient.size());
  double off = 0;
  for (size_t i = 0; i < numbers.size(); ++i) {
    float number = numbers[i];
    numbers[i] = number + kStep;
    double above = functional(problem);
    numbers[i] = number - kStep;
    double below = functional(problem);
    numbers[i] = number;
    off = std::max(off, std::abs((above - below) / (2 * kStep) - gradient[i]));
  }
  return off;
}

class Differences : public ::testing::TestWithParam<std::string> {};

TEST_P(Differences, AgreeWithTheGradients) {
  Pattern pattern = testing::smallZooPattern(
      GetParam(),
      {{"l", 4}, {"c", 1}, {"w", 4}, {"g", 2}, {"b", 3}, {"p", 5}, {"width", 4}, {"height", 2}});
  ASSERT_FALSE(pattern.heads.empty());
  Random random(7);
  BackwardProblem problem = smallBackward(pattern, random);
  Gradients<double> gradients = exactBackward(problem, exact(problem.forward));
  // Third derivatives times the step's square.
  constexpr double kOff = 16 * 0x1p-20;
  EXPECT_LE(offFromDifferences(problem, &AttentionProblem::q, gradients.dq), kOff);
  EXPECT_LE(offFromDifferences(problem, &AttentionProblem::k, gradients.dk), kOff);
  EXPECT_LE(offFromDifferences(problem, &AttentionProblem::v, gradients.dv), kOff);
}

INSTANTIATE_TEST_SUITE_P(Zoo, Differences, ::testing::ValuesIn(zooNames()), [](const auto &info) {
  std::string text = info.param;
  std::ranges::replace(text, '-', '_');
  return text;
});

/// With lse and out 0 and no score every p is 1: dv counts the queries of a key.
TEST(Backward, CountsPairsWhereEveryWeightIsOne) {
  BackwardProblem problem{.forward = {.attend = {parse("k <= q")},
                                      .heads = 2,
                                      .nq = 3,
                                      .n = 4,
                                      .q0 = 1,
                                      .headDim = 1,
                                      .valueDim = 2,
                                      .q = std::vector<float>(6, 0),
                                      .k = {3, 1, 4, 1},
                                      .v = std::vector<float>(8, 0)},
                          .dout = {1, 0, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0},
                          .dlse = {}};
  AttentionResult<double> nothing{
      .out = std::vector<double>(12), .lse = std::vector<double>(6), .lseTerms = {}};
  Gradients<double> counts = exactBackward(problem, nothing);
  // Queries 1 2 3 in columns 0 1 0, of both heads.
  EXPECT_EQ(counts.dv, (std::vector<double>{4, 2, 4, 2, 2, 2, 2, 0}));
  EXPECT_EQ(counts.dk, std::vector<double>(4, 0));
  EXPECT_EQ(counts.dq, std::vector<double>(6, 0));
  EXPECT_EQ(sizesBackward(problem, nothing).dv, counts.dv);
}

TEST(Comparison, TermsThatMayCancelWidenTheBound) {
  Comparison c;
  c.add(0.5, 0.25, 0.25, 0, 16);
  c.add(0.25, 0.25, 0.25, 1, 8);
  EXPECT_EQ(c.bound(2), 16.25 * 0x1p-24);
}

TEST(Comparison, MeasuresInUnitsOfPlain) {
  Comparison c;
  c.add(1.5, 1.0, 1.25, 0);
  c.add(-4.0, -4.0, -4.0, 1);
  EXPECT_EQ(c.error(), 0.5);
  EXPECT_EQ(c.bound(2), 0.5 + 4 * 0x1p-24);
  EXPECT_EQ(c.worst(), 0u);
}

TEST(Comparison, InfinitiesAndNansMustBeInPlace) {
  const double inf = std::numeric_limits<double>::infinity();
  Comparison good;
  good.add(-inf, -inf, -inf, 0);
  EXPECT_EQ(good.error(), 0);
  EXPECT_EQ(good.bound(2), 0);
  for (auto [result, exact] : {std::pair{0.0, -inf},
                               {inf, -inf},
                               {-inf, 0.0},
                               {std::nan(""), 0.0},
                               {std::nan(""), -inf}}) {
    Comparison bad;
    bad.add(result, exact, exact, 0);
    EXPECT_EQ(bad.error(), inf) << result << " " << exact;
  }
}

} // namespace
} // namespace sparsec::reference
