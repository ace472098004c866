// simplify(): equivalent and idempotent over every small predicate; canonical on chosen pairs.
// print(): parses back to the same tree over the same predicates.
#include "tests/patterns/EnumeratePredicates.h"

#include <gtest/gtest.h>

namespace sparsec {
namespace {

using testing::forEachPredicate;
using testing::forEachPredicateUpTo;
using testing::RandomPredicates;

Result<Expr> tryParse(const std::string &text) {
  return parsePredicate(std::make_shared<SourceText>(SourceText{"test", text}));
}

std::string simplified(const std::string &text) {
  Result<Expr> expr = tryParse(text);
  return expr ? print(simplify(*expr)) : expr.error().render();
}

/// Truths at every point of small sizes, q below 0 and above n too, as bits.
std::vector<uint64_t> truths(const Expr &predicate) {
  std::vector<uint64_t> rows;
  for (Sizes sizes : {Sizes{5, 5}, Sizes{3, 8}, Sizes{8, 1}})
    for (int64_t h : {0, 1, 5}) {
      Evaluator evaluator(predicate, h, sizes);
      for (int64_t q : {-7, -2, -1, 0, 1, 2, 3, 4, 6, 9})
        rows.push_back(evaluator.row(q, 0, 1, static_cast<int>(sizes.nk)));
    }
  return rows;
}

bool checkReadings(const Expr &predicate) {
  std::string text = print(predicate);
  Result<Expr> parsed = tryParse(text);
  if (!parsed) {
    ADD_FAILURE() << parsed.error().render();
    return false;
  }
  EXPECT_TRUE(equal(*parsed, predicate)) << text << " parses as " << print(*parsed);
  Expr simple = simplify(predicate);
  EXPECT_EQ(truths(predicate), truths(simple)) << text << " became " << print(simple);
  Expr again = simplify(simple);
  EXPECT_TRUE(equal(again, simple))
      << text << " became " << print(simple) << " became " << print(again);
  Result<Expr> reparsed = tryParse(print(simple));
  EXPECT_TRUE(reparsed && equal(*reparsed, simple)) << print(simple);
  return !::testing::Test::HasFailure();
}

/// exchanged(): the truth at (q, k) is that of the original at (k, q), with the lengths exchanged;
/// where queries began at 3, at (k + 3, q).
bool checkExchanged(const Expr &predicate) {
  Expr other = exchanged(predicate);
  Expr later = exchanged(predicate, 3);
  EXPECT_TRUE(equal(exchanged(other), predicate)) << print(other);
  for (Sizes sizes : {Sizes{5, 5}, Sizes{3, 8}, Sizes{8, 1}})
    for (int64_t q = 0; q < sizes.nq; ++q)
      for (int64_t k = 0; k < sizes.nk; ++k) {
        Point transposed = {.h = 1, .q = k, .k = q};
        Sizes lengths = {.nq = sizes.nk, .nk = sizes.nq};
        EXPECT_EQ(evaluate(predicate, {.h = 1, .q = q, .k = k}, sizes),
                  evaluate(other, transposed, lengths))
            << print(predicate) << " at " << q << ", " << k;
        EXPECT_EQ(evaluate(predicate, {.h = 1, .q = q + 3, .k = k}, sizes),
                  evaluate(later, transposed, lengths))
            << print(predicate) << " at " << q + 3 << ", " << k;
      }
  return !::testing::Test::HasFailure();
}

TEST(Exchanged, IsTheTranspose) {
  bool right = true;
  forEachPredicateUpTo({.operators = 1},
                       [&](const Expr &each) { right = right && checkExchanged(each); });
  RandomPredicates random(7);
  for (int i = 0; right && i < 2'000; ++i)
    right = checkExchanged(random.predicate(4));
}

TEST(SimplifyExhaustive, UpToTwoOperators) {
  bool right = true;
  int64_t count = 0;
  forEachPredicateUpTo({.operators = 2}, [&](const Expr &predicate) {
    right = right && checkReadings(predicate);
    ++count;
  });
  EXPECT_EQ(count, 39170);
}

TEST(SimplifyExhaustive, ThreeOperators) {
  bool right = true;
  uint64_t number = 0;
  forEachPredicate({.operators = 3, .arithmeticSample = 40}, [&](const Expr &predicate) {
    if (right && number++ % 4 == 0)
      right = checkReadings(predicate);
  });
}

TEST(SimplifyExhaustive, RandomLarger) {
  RandomPredicates random(7);
  bool right = true;
  for (int i = 0; right && i < 20'000; ++i)
    right = checkReadings(random.predicate(4 + i % 20));
}

TEST(Simplify, Canonical) {
  const std::pair<const char *, const char *> same[] = {
      {"causal", "not q < k"},
      {"causal", "2 * k + 1 <= 2 * q + 2"},
      {"causal and local(4)", "local(4)"},
      {"local(4)", "q - k < 4 and k <= q"},
      {"same(4) and same(4)", "k // 4 == q // 4"},
      {"tail(8, 2)", "not k % 8 < 6"},
      {"every(4)", "(q + 8 - k) % 4 == 0"},
      {"q // 2 // 3 == k", "q // 6 == k"},
      {"q % 12 % 4 == 1", "q % 4 == 1"},
      {"(2 * q) % 4 == 2", "q % 2 == 1"},
      {"abs(q - k) < 3", "abs(k - q) < 3"},
      {"min(q, q + 1) == k", "q == k"},
      {"q == k or q < k", "q <= k"},
      {"q == 3 or q == 4 or q == 5", "3 <= q <= 5"},
      {"q != 3 and q != 4", "q < 3 or q > 4"},
      {"not (q < 3 or k > 4 and h == 1)", "(h != 1 or k < 5) and q > 2"},
      {"window(2, 2)", "-2 <= q - k and k - q >= -2"},
  };
  for (auto [a, b] : same)
    EXPECT_EQ(simplified(a), simplified(b)) << a << " and " << b;
}

TEST(Simplify, Text) {
  EXPECT_EQ(simplified("causal"), "k <= q");
  EXPECT_EQ(simplified("causal and 0 <= q - k < 128"), "k <= q and q - k < 128");
  EXPECT_EQ(simplified("causal and (same(128) or tail(128, 32))"),
            "k <= q and (k % 128 >= 96 or q // 128 == k // 128)");
  EXPECT_EQ(simplified("causal and every(128)"), "k <= q and (q - k) % 128 == 0");
  EXPECT_EQ(simplified("q != k and k <= q"), "k < q");
}

TEST(Simplify, DecidesForEveryN) {
  for (const char *text :
       {"k > q and causal", "local(0)", "tail(8, 0)", "q % 4 == 7", "h < 0", "k >= n", "q - q == 1",
        "k == 3 and k == 4", "local(4) and q - k > 9", "n == 0", "abs(q - k) < 0",
        "2 * q == 2 * k + 1", "k // 4 == 1 and k // 4 == 2 and q == k", "hash(q, k, 1) < 0"})
    EXPECT_EQ(simplified(text), "False") << text;
  for (const char *text :
       {"k < n", "k <= q or q < k", "q % 4 < 4", "nq > 0", "not local(0)", "same(1) or q != k"})
    EXPECT_EQ(simplified(text), "True") << text;
}

TEST(Simplify, StaysWithinSixtyFourBits) {
  // The difference of the sides would need 65 bits: the comparison stays as it is.
  const char *text = "q * 4294967295 < k * 4294967294 - 1";
  EXPECT_EQ(simplified(text), text);
}

} // namespace
} // namespace sparsec
