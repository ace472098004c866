// Indices of positions: what they give, and what is refused with its place.
#include "patterns/PositionIndex.h"

#include "patterns/Evaluate.h"

#include <gtest/gtest.h>

namespace sparsec {
namespace {

Result<Expr> parse(const std::string &text) {
  return parseIndex(std::make_shared<SourceText>(SourceText{"index", text}));
}

std::vector<int32_t> values(const std::string &text, int64_t n, int64_t rows) {
  Result<Expr> index = parse(text);
  EXPECT_TRUE(index) << text << (index ? "" : index.error().render());
  Result<std::vector<int32_t>> found = indicesOf(*index, n, rows);
  EXPECT_TRUE(found) << text;
  return found ? *found : std::vector<int32_t>();
}

TEST(PositionIndex, IsArithmeticOfThePosition) {
  EXPECT_EQ(values("t // 3", 7, 3), (std::vector<int32_t>{0, 0, 0, 1, 1, 1, 2}));
  EXPECT_EQ(values("t // 2 % 2", 7, 2), (std::vector<int32_t>{0, 0, 1, 1, 0, 0, 1}));
  EXPECT_EQ(values("n - 1 - t", 3, 3), (std::vector<int32_t>{2, 1, 0}));
  EXPECT_EQ(values("min(t, 2)", 4, 3), (std::vector<int32_t>{0, 1, 2, 2}));
  EXPECT_EQ(values("5", 2, 6), (std::vector<int32_t>{5, 5}));
}

TEST(PositionIndex, TakesARowOfItsTable) {
  Expr takes = takesRow(*parse("t // 3"));
  for (int64_t row = 0; row < 4; ++row)
    for (int64_t t = 0; t < 10; ++t)
      EXPECT_EQ(evaluate(takes, {.q = row, .k = t}, {.nq = 4, .nk = 10}), t / 3 == row);
}

TEST(PositionIndex, Refuses) {
  auto refusal = [](const std::string &text) {
    Result<Expr> index = parse(text);
    return index ? std::string("none") : index.error().message;
  };
  EXPECT_EQ(refusal("t < 3"), "expected an index (an integer), found a predicate");
  EXPECT_EQ(refusal("t + q"), "expected an index of the position t, found 'q'");
  EXPECT_EQ(refusal("h"), "expected an index of the position t, found 'h'");
  EXPECT_EQ(refusal("nq - t"), "expected an index of the position t, found 'nq'");
  EXPECT_NE(refusal("t // 0"), "none");
  EXPECT_NE(refusal("u"), "none");
  Result<std::vector<int32_t>> tooLarge = indicesOf(*parse("t // 2"), 7, 3);
  ASSERT_FALSE(tooLarge);
  EXPECT_EQ(tooLarge.error().message, "expected an index in 0 .. 2, found 3 at t = 6");
  EXPECT_FALSE(indicesOf(*parse("t - 1"), 2, 3));
}

} // namespace
} // namespace sparsec
