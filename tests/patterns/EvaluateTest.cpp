#include "tests/patterns/EnumeratePredicates.h"

#include <gtest/gtest.h>
#include <limits>

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

TEST(Evaluate, FloorSemantics) {
  // quotient and remainder as Python gives them, by 3, -3, 1 and -1
  struct Row {
    int64_t a, results[8];
  };
  const Row rows[] = {
      {7, {2, 1, -3, -2, 7, 0, -7, 0}},  {-7, {-3, 2, 2, -1, -7, 0, 7, 0}},
      {6, {2, 0, -2, 0, 6, 0, -6, 0}},   {-6, {-2, 0, 2, 0, -6, 0, 6, 0}},
      {0, {0, 0, 0, 0, 0, 0, 0, 0}},     {1, {0, 1, -1, -2, 1, 0, -1, 0}},
      {-1, {-1, 2, 0, -1, -1, 0, 1, 0}},
  };
  const int64_t divisors[] = {3, -3, 1, -1};
  for (const Row &row : rows)
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(floorDivide(row.a, divisors[i]), row.results[2 * i]) << row.a;
      EXPECT_EQ(floorModulo(row.a, divisors[i]), row.results[2 * i + 1]) << row.a;
    }
  EXPECT_EQ(floorModulo(std::numeric_limits<int64_t>::min(), -1), 0);
}

TEST(Evaluate, Precedence) {
  for (const char *text :
       {"2 + 3 * 4 == 14", "10 - 4 - 3 == 3", "-7 // 2 == -4", "-7 % 3 == 2", "-(7) // 2 == -4",
        "7 // 2 * 2 == 6", "100 // 7 // 2 == 7", "2 * 7 % 4 == 2", "not 1 > 2 and 3 > 2",
        "1 > 2 and 1 > 2 or 3 > 2", "not (3 > 2 or 1 > 2 and 1 > 2) or 2 > 1", "1 < 2 < 3",
        "not 1 < 3 < 2", "1 < 3 > 2 != 4", "min(3, 1, 2) == 1", "max(3, 1, 2) - -1 == 4",
        "abs(-3) == --3", "-9223372036854775808 < 9223372036854775807"})
    EXPECT_TRUE(evaluate(parse(text), {}, {1, 1})) << text;
}

TEST(Evaluate, Hash) {
  // From the definition in Evaluate.h, reckoned apart in Python.
  struct Row {
    int64_t q, k, seed;
    uint32_t hash;
  };
  const Row rows[] = {
      {0, 0, 0, 0u},
      {1, 0, 0, 1834104592u},
      {0, 1, 0, 3298878556u},
      {0, 0, 1, 2859439283u},
      {12345, 678, 9, 475059014u},
      {-1, 7, 3, 2712197983u},
      {2147483647, 2147483647, -5, 3694992437u},
      {1099511627779, -1099511627776, 34359738369, 2730583640u},
  };
  for (const Row &row : rows)
    EXPECT_EQ(hash32(row.q, row.k, row.seed), row.hash);
}

/// at() and row() against evaluate(), the one that defines the meaning.
TEST(Evaluator, AgreesWithEvaluate) {
  testing::RandomPredicates predicates(3);
  std::mt19937_64 random(4);
  for (int i = 0; i < 3'000; ++i) {
    Expr predicate = predicates.predicate(1 + i % 16);
    Sizes sizes{1 + int64_t(random() % 1000), 1 + int64_t(random() % 1000)};
    int64_t h = static_cast<int64_t>(random() % 9);
    Evaluator evaluator(predicate, h, sizes);
    // Small positions and ones near 2^31, negative queries too.
    int64_t far = i % 3 == 0 ? (int64_t(1) << 31) - 3000 : 0;
    int64_t q = (i % 2 ? 1 : -1) * (far + static_cast<int64_t>(random() % 1000));
    int64_t first = far + static_cast<int64_t>(random() % 1000), step = 1 + i % 7;
    int count = i % 65;
    uint64_t expected = 0;
    for (int j = 0; j < count; ++j) {
      bool truth = evaluate(predicate, {h, q, first + j * step}, sizes);
      expected |= uint64_t(truth) << j;
      ASSERT_EQ(evaluator.at(q, first + j * step), truth) << print(predicate);
    }
    ASSERT_EQ(evaluator.row(q, first, step, count), expected) << print(predicate);
  }
}

TEST(Evaluator, DividesByAnyNumber) {
  std::mt19937_64 random(5);
  for (int64_t divisor : {1, 2, 3, 7, 64, 96, 1000003, 2147483647})
    for (const char *operation : {"//", "%"}) {
      std::string number = std::to_string(divisor);
      for (int64_t scale : {int64_t(1), divisor, int64_t(2000000011)}) {
        std::string text = "((q - k) * " + std::to_string(scale) + " + h) " + operation + " " +
                           number + " == (q - k) % 11";
        Expr predicate = parse(text);
        Evaluator evaluator(predicate, 2, {1, 1});
        for (int i = 0; i < 300; ++i) {
          int64_t q = static_cast<int64_t>(random() >> 33),
                  k = static_cast<int64_t>(random() >> 33);
          if (i % 2)
            q = k + i % 29 - 14;
          ASSERT_EQ(evaluator.row(q, k, 1, 1), evaluate(predicate, {2, q, k}, {1, 1})) << text;
        }
      }
    }
}

TEST(Bounds, Exact) {
  auto reach = [](const std::string &integerText) {
    return bounds(parse(integerText + " == 0")->operands[0]);
  };
  const int64_t far = (int64_t(1) << 31) - 1;
  EXPECT_EQ(reach("q"), (Bounds{-far, far}));
  EXPECT_EQ(reach("k"), (Bounds{0, far}));
  EXPECT_EQ(reach("n"), (Bounds{1, far}));
  EXPECT_EQ(reach("h"), (Bounds{0, (1 << 20) - 1}));
  EXPECT_EQ(reach("q - k"), (Bounds{-2 * far, far}));
  EXPECT_EQ(reach("q % 7"), (Bounds{0, 6}));
  EXPECT_EQ(reach("q % -7"), (Bounds{-6, 0}));
  EXPECT_EQ(reach("k // -7"), (Bounds{-306783379, 0}));
  EXPECT_EQ(reach("h % n"), (Bounds{0, (1 << 20) - 1}));
  EXPECT_EQ(reach("abs(q) - 3"), (Bounds{-3, far - 3}));
  EXPECT_EQ(reach("hash(q, k, 1)"), (Bounds{0, 4294967295}));
  EXPECT_EQ(bounds(make(Op::FloorDivide, {leaf(Op::Query), leaf(Op::Key)})), std::nullopt);
  EXPECT_EQ(bounds(make(Op::Add, {integer(std::numeric_limits<int64_t>::max()), leaf(Op::Head)})),
            std::nullopt);
}

/// No value of any random expression is outside its bounds, at the corners of the domain above all.
TEST(Bounds, HoldEverywhere) {
  testing::RandomPredicates predicates(6);
  const int64_t far = (int64_t(1) << 31) - 1;
  const int64_t qs[] = {-far, -1000, -1, 0, 1, 5, 999, far}, ks[] = {0, 1, 2, 7, 1000, far};
  for (int i = 0; i < 4'000; ++i) {
    Expr expr = predicates.integerOf(i % 9);
    Bounds reach = *bounds(expr);
    for (int64_t q : qs)
      for (int64_t k : ks)
        for (int64_t h : {0, 3, (1 << 20) - 1})
          for (int64_t n : {int64_t(1), int64_t(8), far}) {
            int64_t value = evaluateInteger(expr, {h, q, k}, {n, n});
            ASSERT_TRUE(reach.low <= value && value <= reach.high) << print(expr);
          }
  }
}

} // namespace
} // namespace sparsec
