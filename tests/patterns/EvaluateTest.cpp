#include "patterns/Classify.h"

#include <gtest/gtest.h>

namespace sparsec {
namespace {

Expr parse(const std::string &text) {
  Result<Expr> expr = parsePredicate(std::make_shared<SourceText>(SourceText{"-e", text}));
  EXPECT_TRUE(expr) << (expr ? "" : expr.error().render());
  return expr ? *expr : leaf(Op::False);
}

/// Rows q, columns k, # where the predicate is true.
std::string picture(const std::string &text, int n) {
  Expr predicate = parse(text);
  Evaluator evaluator(predicate, 0, {n, n});
  std::string out;
  for (int q = 0; q < n; ++q) {
    for (int k = 0; k < n; ++k) {
      bool truth = evaluate(predicate, {0, q, k}, {n, n});
      EXPECT_EQ(evaluator.at(q, k), truth);
      EXPECT_EQ(evaluator.row(q, 0, 1, n) >> k & 1, truth);
      out += truth ? '#' : '.';
    }
    out += '\n';
  }
  return out;
}

TEST(Evaluate, StridedPicture) {
  EXPECT_EQ(picture("causal and (q - k) % 4 == 0", 8), "#.......\n"
                                                       ".#......\n"
                                                       "..#.....\n"
                                                       "...#....\n"
                                                       "#...#...\n"
                                                       ".#...#..\n"
                                                       "..#...#.\n"
                                                       "...#...#\n");
}

TEST(Evaluate, FixedPicture) {
  EXPECT_EQ(picture("causal and (same(4) or tail(4, 1))", 8), "#.......\n"
                                                              "##......\n"
                                                              "###.....\n"
                                                              "####....\n"
                                                              "...##...\n"
                                                              "...###..\n"
                                                              "...####.\n"
                                                              "...#####\n");
}

TEST(Classify, Blocks) {
  Expr local = parse("local(4)");
  auto block = [](int64_t q, int64_t k) { return Rectangle{{q, 1, 2}, {k, 1, 2}}; };
  EXPECT_EQ(classify(local, block(4, 4), 0, {8, 8}), Coverage::Mixed);
  EXPECT_EQ(classify(local, block(4, 2), 0, {8, 8}), Coverage::Full);
  EXPECT_EQ(classify(local, block(4, 0), 0, {8, 8}), Coverage::Mixed);
  EXPECT_EQ(classify(local, block(6, 0), 0, {8, 8}), Coverage::Empty);
  // Residue order: with strides of l the column is full.
  EXPECT_EQ(classify(parse("every(96)"), {{5, 96, 8}, {5, 96, 8}}, 0, {768, 768}), Coverage::Full);
  EXPECT_EQ(classify(parse("every(96)"), {{5, 96, 8}, {6, 96, 8}}, 0, {768, 768}), Coverage::Empty);
}

} // namespace
} // namespace sparsec
