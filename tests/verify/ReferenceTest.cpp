// The reference against numbers worked by hand.
#include "tests/reference/Attention.h"
#include "tests/reference/Comparison.h"
#include "tools/verify/HostTensor.h"

#include <gtest/gtest.h>

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
