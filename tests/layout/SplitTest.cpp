#include "layout/Split.h"
#include "tests/layout/Orders.h"
#include "tests/layout/Predicates.h"

#include <numeric>

namespace sparsec::test {
namespace {

std::vector<std::string> parts(const std::string &text) {
  std::vector<std::string> result;
  for (const Expr &part : disjointParts(predicate(text)))
    result.push_back(print(part));
  return result;
}

TEST(Split, WhatIsNoUnionStaysWhole) {
  EXPECT_EQ(parts("k <= q"), std::vector<std::string>{"k <= q"});
  EXPECT_EQ(parts("k <= q and q % 3 == 0").size(), 1u);
  EXPECT_EQ(parts("k <= q or k <= q").size(), 1u) << "the second adds nothing";
}

/// Each pair of the union is in one part, each other pair in none.
TEST(Split, PartsAreDisjointAndTheWhole) {
  for (const char *text :
       {"causal and (local(2) or every(4))", "causal and (same(4) or tail(4, 1))",
        "k <= q and (q - k < 5 or (q - k) % 7 == 0 or k < 3)", "q == k or k == 0",
        "(k < 4 or local(3)) and (q > 2 or every(2))", "hash(q, k, 1) % 3 == 0 or k <= q",
        "(q < 5 or k < 5) and h == 0", "q > q or k < 2"}) {
    Expr whole = predicate(text);
    std::vector<Expr> split = disjointParts(whole);
    for (int64_t q = 0; q < 24; ++q)
      for (int64_t k = 0; k < 24; ++k) {
        int64_t times = 0;
        for (const Expr &part : split)
          times += evaluate(part, {.q = q, .k = k}, {24, 24});
        ASSERT_EQ(times, evaluate(whole, {.q = q, .k = k}, {24, 24}))
            << text << " at " << q << ", " << k;
      }
  }
}

std::vector<int64_t> live(const Expr &attend, int64_t n, int block,
                          const std::vector<std::pair<OrderSpec, OrderSpec>> &orders) {
  LayoutRequest request = {.nq = n, .nk = n, .blockQ = block, .blockK = block};
  std::vector<Expr> split = disjointParts(attend);
  EXPECT_EQ(split.size(), orders.size());
  std::vector<Part> plan;
  int64_t elements = 0;
  for (size_t i = 0; i < split.size(); ++i) {
    plan.push_back({split[i], orders[i].first, orders[i].second});
    elements += *countElements(split[i], request);
  }
  EXPECT_EQ(elements, *countElements(attend, request)) << "no pair twice, none missed";
  Result<std::vector<BlockLayout>> layouts = layoutsOf(plan, request);
  EXPECT_TRUE(layouts) << layouts.error().message;
  std::vector<int64_t> counts;
  for (const BlockLayout &layout : *layouts)
    counts.push_back(layout.counts().live);
  return counts;
}

TEST(Split, MergedStrided) {
  EXPECT_EQ(live(predicate("causal and (local(128) or every(128))"), 12'288, 32,
                 {{NaturalOrder{}, NaturalOrder{}}, {ResidueOrder{128}, ResidueOrder{128}}}),
            (std::vector<int64_t>{1'910, 768}));
}

TEST(Split, FixedWithItsSummariesGathered) {
  // 96 diagonal blocks; then query tile i sees the tails of blocks 0 .. i - 1, four to a tile:
  // the sum of ceil(i / 4), 1,176. 1,272 in all.
  EXPECT_EQ(live(predicate("causal and (same(128) or tail(128, 32))"), 12'288, 128,
                 {{NaturalOrder{}, NaturalOrder{}}, {NaturalOrder{}, TailsOrder{128, 32}}}),
            (std::vector<int64_t>{96, 1'176}));
}

TEST(Split, AnOrderThatIsNoneIsRefused) {
  Result<std::vector<BlockLayout>> layouts =
      layoutsOf({{causal(), NaturalOrder{}, TailsOrder{8, 9}}}, {.nq = 8, .nk = 8});
  ASSERT_FALSE(layouts);
  EXPECT_EQ(layouts.error().message, "expected tails of 1 .. 8, the period, found 9");
}

} // namespace
} // namespace sparsec::test
