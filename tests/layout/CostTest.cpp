#include "layout/cost/Cost.h"
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
  EXPECT_EQ(orders("hash(q, k, 1) % 7 == 0", request), (Names{"natural / natural"}))
      << "a hash has no places";
}

TEST(Cost, CountsAndBytes) {
  // 3 x 3 blocks of 4, the lower triangle: rows of 1, 2 and 3 blocks.
  LayoutRequest request = square(12, 4);
  CostShape shape = CostShape::forward(16, 32);
  CostTarget target = {.units = 2,
                       .unitFlops = 2.0 * 4 * 4 * 48, // a block: a second
                       .unitBytesPerSecond = 1e12,
                       .bytesPerSecond = 1e12,
                       .gatherPenalty = 2};
  auto costOfCausal = [&](const OrderSpec &keys) {
    Result<Cost> cost = costOf({{causal(), NaturalOrder{}, keys}}, request, shape, target);
    EXPECT_TRUE(cost);
    return *cost;
  };
  Cost cost = costOfCausal(NaturalOrder{});
  EXPECT_EQ(cost.blocks, (BlockCounts{.live = 6, .full = 3, .partial = 3}));
  EXPECT_TRUE(cost.exact);
  EXPECT_EQ(cost.elements, 78);
  EXPECT_EQ(cost.computed, 96);
  EXPECT_DOUBLE_EQ(cost.useful(), 78.0 / 96);
  EXPECT_DOUBLE_EQ(cost.operations, 2 * 48 * 96);
  EXPECT_DOUBLE_EQ(cost.bytes, (6 + 3) * 4 * 48 * 2);
  EXPECT_DOUBLE_EQ(cost.seconds, 3 + 3) << "the mean of two units and the longest row";
  EXPECT_DOUBLE_EQ(cost.balance, 0.5);
  EXPECT_DOUBLE_EQ(cost.denseSeconds, 9.0 / 2 + 3);
  EXPECT_DOUBLE_EQ(cost.breakEven, std::min(1.0, 7.5 / (6.0 / 78 * 144)));

  target.units = 4;
  EXPECT_DOUBLE_EQ(costOfCausal(NaturalOrder{}).seconds, 3) << "each row has a unit";
  EXPECT_DOUBLE_EQ(costOfCausal(NaturalOrder{}).balance, 0.5) << "6 block-seconds in 4 times 3";

  target.rowSeconds = 1;
  target.partialPenalty = 1;
  target.launchSeconds = 10;
  EXPECT_DOUBLE_EQ(costOfCausal(NaturalOrder{}).seconds, 10 + 1 + 2 + 2);

  // Short of bandwidth: every tensor once. Gathered rows count twice.
  target.bytesPerSecond = 10;
  cost = costOfCausal(ResidueOrder{1});
  EXPECT_DOUBLE_EQ(cost.bytes, (6 * 2 + 3) * 4 * 48 * 2);
  EXPECT_DOUBLE_EQ(cost.seconds, 10 + (12 + 12) * 48 * 2 / 10.0);

  shape.copies = 8;
  target.bytesPerSecond = 1e12;
  target.launchSeconds = target.rowSeconds = target.partialPenalty = 0;
  EXPECT_DOUBLE_EQ(costOfCausal(NaturalOrder{}).seconds, 8 * 6 / 4 + 3);
}

TEST(Cost, OfKeysIsThatOfTheTranspose) {
  // Blocks of 4 queries x 2 keys: columns of the causal triangle have 3, 3, 2, 2, 1 and 1 of them.
  LayoutRequest request{.nq = 12, .nk = 12, .blockQ = 4, .blockK = 2};
  CostShape shape{.products = 10, .rowWidth = 3, .foldWidth = 5, .ofKeys = true};
  CostTarget target = {.units = 3,
                       .unitFlops = 2.0 * 4 * 2 * 10, // a block: a second
                       .unitBytesPerSecond = 1e12,
                       .bytesPerSecond = 1e12};
  Result<Cost> cost = costOf({{causal(), NaturalOrder{}, NaturalOrder{}}}, request, shape, target);
  ASSERT_TRUE(cost);
  EXPECT_EQ(cost->blocks, (BlockCounts{.live = 12, .full = 6, .partial = 6}));
  EXPECT_EQ(cost->elements, 78);
  EXPECT_DOUBLE_EQ(cost->operations, 2 * 10 * 96);
  EXPECT_DOUBLE_EQ(cost->bytes, 2 * (12 * 4 * 5 + 6 * 2 * 3));
  EXPECT_DOUBLE_EQ(cost->seconds, 12.0 / 3 + 3) << "the first columns are the longest";

  // The last 4 of the queries: one block of them sees all 12 keys, 2 of its 6 blocks in part.
  LayoutRequest last{.nq = 4, .nk = 12, .q0 = 8, .blockQ = 4, .blockK = 2};
  cost = costOf({{causal(), NaturalOrder{}, NaturalOrder{}}}, last, shape, target);
  ASSERT_TRUE(cost);
  EXPECT_EQ(cost->blocks, (BlockCounts{.live = 6, .full = 4, .partial = 2}));
  EXPECT_EQ(cost->elements, 9 + 10 + 11 + 12);

  // A window is as long in every column but the last ones, and of few sampled rows exactly so.
  for (const Expr &attend : {local(64), fixedMerged(128, 32), column(64)}) {
    LayoutRequest many{.nq = 4'096, .nk = 4'096, .blockQ = 32, .blockK = 64};
    Result<std::vector<Candidate>> all =
        weigh(attend, many, shape, CostTarget::of("cpu", 4), {.blocks = {{32, 64}}});
    ASSERT_TRUE(all);
    Candidate first = all->front();
    ASSERT_TRUE(count(first, many, shape, CostTarget::of("cpu", 4)));
    Result<Order> queries = Order::make(first.parts[0].queries, many.nq, 32),
                  keys = Order::make(first.parts[0].keys, many.nk, 64);
    ASSERT_TRUE(queries && keys);
    if (first.parts.size() == 1)
      EXPECT_EQ(first.cost.blocks,
                BlockLayout::build(first.parts[0].attend, many, *queries, *keys)->counts());
    EXPECT_NEAR(first.cost.seconds / all->front().cost.seconds, 1, 0.15) << print(attend);
  }
}

/// The cheapest way, counted, on an H200.
Candidate best(const Expr &attend, int64_t n, const Choice &choice) {
  CostShape shape = CostShape::forward(64, 64, 2, 8);
  CostTarget target = CostTarget::of("sm_90", 2);
  Result<std::vector<Candidate>> all = weigh(attend, square(n, 64), shape, target, choice);
  EXPECT_TRUE(all) << all.error().message;
  for (size_t i = 1; i < all->size(); ++i)
    EXPECT_LE((*all)[i - 1].cost.seconds, (*all)[i].cost.seconds);
  Candidate first = all->front();
  EXPECT_TRUE(count(first, square(n, 64), shape, target));
  EXPECT_TRUE(first.cost.exact);
  EXPECT_NEAR(first.cost.seconds / all->front().cost.seconds, 1, 0.15) << "the estimate";
  return first;
}
Candidate best(const Expr &attend, int64_t n, int block) {
  return best(attend, n, {.blocks = {{block, block}}});
}

TEST(Cost, TheCheapestOfThePaper) {
  Candidate strided = best(column(128), 12'288, 32);
  EXPECT_EQ(strided.cost.blocks.live, 768);
  EXPECT_EQ(strided.parts.size(), 1u);
  EXPECT_EQ(strided.parts[0].keys, OrderSpec(ResidueOrder{128}));

  Candidate merged = best(united(128), 12'288, 32);
  ASSERT_EQ(merged.parts.size(), 2u);
  EXPECT_EQ(merged.cost.blocks.live, 1'910 + 768);
  EXPECT_EQ(merged.cost.elements, *countElements(united(128), square(12'288, 32)));
  EXPECT_EQ(merged.parts[0].keys, OrderSpec(NaturalOrder{}));
  EXPECT_EQ(merged.parts[1].keys, OrderSpec(ResidueOrder{128}));

  Candidate fixed = best(fixedMerged(128, 32), 12'288, 128);
  EXPECT_LE(fixed.cost.blocks.live, 1'300);

  EXPECT_EQ(best(causal(), 4'096, 64).parts[0].keys, OrderSpec(NaturalOrder{}));
  EXPECT_EQ(best(local(128), 4'096, 64).parts.size(), 1u);
}

TEST(Cost, ChainsThatNoBlockDivides) {
  // n / l is 96.4: chains of 97 and of 96, in tiles of 64.
  Candidate strided = best(column(128), 12'345, 64);
  EXPECT_EQ(strided.parts[0].keys, OrderSpec(ResidueOrder{128}));
  EXPECT_EQ(strided.cost.blocks.live, 128 * 3);
}

TEST(Cost, TheBlockIsChosenToo) {
  std::vector<Block> blocks = {{64, 64}, {64, 32}, {32, 32}};
  EXPECT_EQ(best(causal(), 4'096, {.blocks = blocks}).block, (Block{64, 64}));
  // Chains of 32 tokens.
  EXPECT_EQ(best(column(128), 4'096, {.blocks = blocks}).block, (Block{32, 32}));
}

TEST(Cost, WhatTheScheduleSays) {
  std::vector<Block> one = {{64, 64}};
  Candidate asked = best(column(128), 12'288, {.blocks = one, .keys = NaturalOrder{}});
  EXPECT_EQ(asked.parts[0].keys, OrderSpec(NaturalOrder{}));
  Candidate never = best(united(128), 12'288, {.blocks = one, .split = SplitChoice::Never});
  EXPECT_EQ(never.parts.size(), 1u);
  Candidate always =
      best(fixedMerged(128, 32), 12'288, {.blocks = one, .split = SplitChoice::Always});
  EXPECT_EQ(always.parts.size(), 2u);
  EXPECT_EQ(best(causal(), 4'096, {.blocks = one, .split = SplitChoice::Always}).parts.size(), 1u);

  auto table = std::make_shared<const std::vector<int32_t>>(std::vector<int32_t>{1, 0, 2});
  Result<std::vector<Candidate>> wrong =
      weigh(causal(), square(4, 2), {}, {}, {.queries = TableOrder{"t", table}});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message, "expected an order of 4 tokens, found 3 in table 't'");
}

/// Whatever the number of threads: the same ways, costs and work.
TEST(Ledger, IsTheSameForAnyNumberOfThreads) {
  for (const char *text : {"k <= q and hash(q // 32, k // 32, h) % 5 == 0",
                           "k <= q and (q - k < 96 or (q - k) % 96 == 0)",
                           "draw(3, q // 32, k // 32, n // 32, h) or k < 64"}) {
    std::optional<std::string> expected;
    for (int threads : {1, 2, 7}) {
      Ledger ledger(threads);
      Result<std::vector<Candidate>> all =
          weigh(predicate(text), square(4'096, 32), {}, CostTarget::of("sm_80", 2),
                {.blocks = {{64, 64}, {32, 32}}}, ledger);
      ASSERT_TRUE(all);
      std::string found = fmt::format("{}{} units", table(*all), ledger.work().units);
      EXPECT_EQ(found, expected.value_or(found)) << threads;
      expected = found;
    }
  }
}

TEST(Ledger, CountsALayoutOnceForAllPasses) {
  // Forward and dq fold its rows, dk and dv its columns; other blocks are another layout.
  Part part = {predicate("k <= q and hash(q // 32, k // 32, 1) % 5 == 0"), NaturalOrder{},
               NaturalOrder{}};
  Ledger ledger;
  CostShape shape;
  auto unitsFor = [&](Block block, bool ofKeys) {
    int64_t before = ledger.work().units;
    Candidate way{.block = block, .parts = {part}};
    shape.ofKeys = ofKeys;
    EXPECT_TRUE(count(way, square(4'096, block.q), shape, CostTarget::of("sm_80", 2), ledger));
    EXPECT_TRUE(way.cost.exact);
    return ledger.work().units - before;
  };
  EXPECT_GT(unitsFor({32, 32}, false), 0);
  EXPECT_EQ(unitsFor({32, 32}, false), 0);
  EXPECT_EQ(unitsFor({32, 32}, true), 0);
  EXPECT_GT(unitsFor({64, 64}, true), 0);
}

TEST(Ledger, HasOneBudgetForACommand) {
  // Pattern after pattern takes less, and past the end nothing is counted.
  constexpr int64_t kUnits = 6'000'000;
  Ledger ledger(1, kUnits);
  bool refused = false;
  for (int seed = 0; seed < 40; ++seed) {
    Part part = {predicate(fmt::format("hash(q // 32, k // 32, {}) % 5 == 0", seed)),
                 NaturalOrder{}, NaturalOrder{}};
    Result<PartCounts> counts = ledger.blocks(part, ledger.within(square(8'192, 32)));
    EXPECT_FALSE(refused && counts) << "counted once there was nothing left";
    refused = refused || !counts;
  }
  EXPECT_TRUE(refused);
  EXPECT_EQ(ledger.left(), 0);
  EXPECT_LT(ledger.work().units, 2 * kUnits);
}

TEST(Cost, EmptyAndTiny) {
  for (int64_t n : {0, 1, 3}) {
    Result<std::vector<Candidate>> all =
        weigh(united(2), square(n, 64), {}, CostTarget::of("sm_80", 2));
    ASSERT_TRUE(all);
    EXPECT_TRUE(std::isfinite(all->front().cost.seconds));
  }
}

TEST(Cost, TheTable) {
  CostShape shape = CostShape::forward(128, 128, 2, 16);
  CostTarget target = CostTarget::of("sm_90", 2);
  Result<std::vector<Candidate>> all = weigh(united(128), square(12'288, 64), shape, target);
  ASSERT_TRUE(all);
  ASSERT_TRUE(count(all->front(), square(12'288, 64), shape, target));
  EXPECT_EQ(
      table(*all),
      R"(block    parts  orders                          live   useful  balance       bytes         time
64x64        2  natural | residue 128            957   54.8 %   96.1 %    770.2 MB     178.6 us
64x64        1  natural                      ~ 6,048    8.7 %   88.5 %   3271.6 MB     843.8 us
64x64        1  residue 128                 ~ 32,768    1.6 %   96.9 %  19045.5 MB    4084.2 us
~ estimated from a few rows of blocks; the others are counted exactly
dense 3679.3 us; a pattern like this is faster below a density of 30.6 %
)");
}

} // namespace
} // namespace sparsec::test
