#include "layout/Cost.h"
#include "tests/layout/Orders.h"
#include "tests/layout/Predicates.h"

namespace sparsec::test {
namespace {

LayoutRequest square(int64_t n, int block) {
  return {.nq = n, .nk = n, .blockQ = block, .blockK = block};
}

std::vector<std::string> orders(const std::string &text, const LayoutRequest &request) {
  std::vector<std::string> result;
  for (const AxisOrders &each : candidateOrders(predicate(text), request)) {
    EXPECT_TRUE(Order::make(each.queries, request.nq, request.blockQ));
    EXPECT_TRUE(Order::make(each.keys, request.nk, request.blockK));
    result.push_back(print(each.queries) + " / " + print(each.keys));
  }
  return result;
}

using Names = std::vector<std::string>;

TEST(Candidates, FromModuliAndDivisions) {
  LayoutRequest request = square(4096, 64);
  EXPECT_EQ(orders("causal", request), (Names{"natural / natural"}));
  EXPECT_EQ(orders("causal and local(128)", request), (Names{"natural / natural"}));
  EXPECT_EQ(orders("causal and every(128)", request),
            (Names{"natural / natural", "residue 128 / residue 128"}));
  EXPECT_EQ(orders("every(12) or every(8)", request),
            (Names{"natural / natural", "residue 12 / residue 12", "residue 8 / residue 8"}));
  EXPECT_EQ(orders("causal and every(5000)", request), (Names{"natural / natural"}));
  EXPECT_EQ(orders("causal and (same(128) or tail(128, 32))", request),
            (Names{"natural / natural", "natural / tails 128, 32"}));
  EXPECT_EQ(orders("k % 16 < 4", request), (Names{"natural / natural"})) << "heads, not tails";
  EXPECT_EQ(orders("abs(q // 64 - k // 64) <= 3 and abs(q % 64 - k % 64) <= 3", request),
            (Names{"natural / natural", "grid 64 x 64 by 8 x 8 / grid 64 x 64 by 8 x 8"}));
  EXPECT_EQ(orders("hash(q, k, 1) % 7 == 0", request),
            (Names{"natural / natural", "residue 7 / residue 7"}))
      << "of no use, and no harm";
}

TEST(Cost, CountsAndBytes) {
  // 3 x 3 blocks of 4, the lower triangle: rows of 1, 2 and 3 blocks.
  LayoutRequest request = square(12, 4);
  CostShape shape = {.headDim = 16, .valueDim = 32, .elementBytes = 2};
  CostTarget target = {.units = 2,
                       .unitFlops = 2.0 * 4 * 4 * 48, // a block: a second
                       .unitBytesPerSecond = 1e12,
                       .bytesPerSecond = 1e12,
                       .partialPenalty = 1,
                       .gatherPenalty = 2,
                       .rowSeconds = 0,
                       .launchSeconds = 0};
  Result<Cost> cost = costOf({{causal(), NaturalOrder{}, NaturalOrder{}}}, request, shape, target);
  ASSERT_TRUE(cost);
  EXPECT_EQ(cost->blocks, (BlockCounts{.live = 6, .full = 3, .partial = 3}));
  EXPECT_EQ(cost->elements, 78);
  EXPECT_EQ(cost->computed, 96);
  EXPECT_DOUBLE_EQ(cost->useful(), 78.0 / 96);
  EXPECT_DOUBLE_EQ(cost->bytes, (6 + 3) * 4 * 48 * 2);
  EXPECT_DOUBLE_EQ(cost->seconds, 3) << "3 | 2 + 1";
  EXPECT_DOUBLE_EQ(cost->balance, 1);

  target.units = 4;
  cost = costOf({{causal(), NaturalOrder{}, NaturalOrder{}}}, request, shape, target);
  EXPECT_DOUBLE_EQ(cost->seconds, 3);
  EXPECT_DOUBLE_EQ(cost->balance, 0.5) << "6 block-seconds in 4 times 3";

  target.rowSeconds = 1;
  target.partialPenalty = 2;
  target.launchSeconds = 10;
  cost = costOf({{causal(), NaturalOrder{}, NaturalOrder{}}}, request, shape, target);
  EXPECT_DOUBLE_EQ(cost->seconds, 10 + 1 + 2 + 2);

  // Short of bandwidth: all bytes, gathered rows twice.
  target.bytesPerSecond = 10;
  cost = costOf({{causal(), NaturalOrder{}, ResidueOrder{1}}}, request, shape, target);
  EXPECT_DOUBLE_EQ(cost->bytes, (6 * 2 + 3) * 4 * 48 * 2);
  EXPECT_DOUBLE_EQ(cost->seconds, 10 + cost->bytes / 10);

  shape.copies = 8;
  target.bytesPerSecond = 1e12;
  target.launchSeconds = target.rowSeconds = 0;
  target.partialPenalty = 1;
  cost = costOf({{causal(), NaturalOrder{}, NaturalOrder{}}}, request, shape, target);
  EXPECT_DOUBLE_EQ(cost->seconds, 8 * 6 / 4);
}

Candidate best(const Expr &attend, int64_t n, int block) {
  Result<std::vector<Candidate>> all = weigh(attend, square(n, block), {}, {});
  EXPECT_TRUE(all) << all.error().message;
  for (size_t i = 1; i < all->size(); ++i)
    EXPECT_LE((*all)[i - 1].cost.seconds, (*all)[i].cost.seconds);
  return all->front();
}

TEST(Cost, TheCheapestOfThePaper) {
  Candidate strided = best(column(128), 12'288, 32);
  EXPECT_EQ(strided.cost.blocks.live, 768);
  EXPECT_EQ(strided.parts.size(), 1u);

  Candidate merged = best(united(128), 12'288, 32);
  ASSERT_EQ(merged.parts.size(), 2u);
  EXPECT_EQ(merged.cost.blocks.live, 2'678);
  EXPECT_EQ(merged.cost.elements, countElements(united(128), square(12'288, 32)));
  EXPECT_EQ(merged.parts[0].keys, OrderSpec(NaturalOrder{}));
  EXPECT_EQ(merged.parts[1].keys, OrderSpec(ResidueOrder{128}));

  Candidate fixed = best(fixedMerged(128, 32), 12'288, 128);
  EXPECT_LE(fixed.cost.blocks.live, 1'300);

  EXPECT_EQ(best(causal(), 4'096, 64).parts[0].keys, OrderSpec(NaturalOrder{}));
  EXPECT_EQ(best(local(128), 4'096, 64).parts.size(), 1u);
}

TEST(Cost, TheTable) {
  Result<std::vector<Candidate>> all = weigh(united(128), square(12'288, 32), {}, {});
  ASSERT_TRUE(all);
  EXPECT_EQ(table(*all), R"(
parts  orders                       live   useful  balance      bytes        time
    2  natural | residue 128       2,678   78.3 %   96.8 %    30.1 MB     20.1 us
    1  natural                    19,770   10.6 %   90.6 %   165.1 MB     59.0 us
    1  residue 128                65,792    3.2 %   97.7 %   650.5 MB    220.8 us
)" + 1);
}

} // namespace
} // namespace sparsec::test
