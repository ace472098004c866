#include "layout/HeadTables.h"
#include "tests/layout/Predicates.h"

namespace sparsec::test {
namespace {

constexpr LayoutRequest kRequest = {.nq = 40, .nk = 32, .q0 = -8, .blockQ = 8, .blockK = 4};

Result<HeadTables> tablesOfHeads(const Expr &attend, const LayoutRequest &request,
                                 const Heads &heads) {
  Result<HeadLayouts> layouts =
      layoutsOfHeads(attend, request, Order::natural(request.nq, request.blockQ),
                     Order::natural(request.nk, request.blockK), heads);
  if (!layouts)
    return layouts.error();
  return tablesOf(*layouts);
}
BlockCounts countsOfHeads(const Expr &attend, const LayoutRequest &request, const Heads &heads) {
  return layoutsOfHeads(attend, request, Order::natural(request.nq, request.blockQ),
                        Order::natural(request.nk, request.blockK), heads)
      ->counts;
}

/// Layout row i of head y, read as a kernel reads it: (partial columns, full columns).
using Row = std::pair<std::vector<int32_t>, std::vector<int32_t>>;
Row rowOf(const BlockTables &tables, int64_t row) {
  auto at = [&](int64_t i) { return tables.columns.begin() + tables.offsets[2 * row + i]; };
  return {{at(0), at(1)}, {at(1), at(2)}};
}

TEST(HeadTables, HeadsFollowEachOther) {
  Expr attend = predicate("k <= q and (k // 4 + h) % 3 != 0");
  Heads heads = {.first = 1, .step = 2, .count = 4};
  Result<HeadTables> all = tablesOfHeads(attend, kRequest, heads);
  ASSERT_TRUE(all);
  EXPECT_EQ(all->rowsPerHead, 5);
  ASSERT_EQ(all->tables.offsets.size(), 4u * 5 * 2 + 1);
  ASSERT_EQ(all->tables.rowOrder.size(), 4u * 5);
  BlockCounts counts;
  for (int64_t y = 0; y < heads.count; ++y) {
    LayoutRequest request = kRequest;
    request.h = heads.first + y * heads.step;
    BlockLayout layout = *BlockLayout::build(attend, request);
    BlockTables head = *layout.tables();
    for (int64_t i = 0; i < layout.rows(); ++i) {
      EXPECT_EQ(rowOf(all->tables, y * all->rowsPerHead + i), rowOf(head, i))
          << "head " << request.h;
      EXPECT_EQ(all->tables.rowOrder[y * all->rowsPerHead + i], head.rowOrder[i]);
    }
    counts.live += layout.counts().live;
    counts.full += layout.counts().full;
    counts.partial += layout.counts().partial;
  }
  EXPECT_EQ(countsOfHeads(attend, kRequest, heads), counts);
  EXPECT_EQ(static_cast<int64_t>(all->tables.columns.size()), counts.live);
}

TEST(HeadTables, HeadsThatDoNotDifferShareOne) {
  Result<HeadTables> all = tablesOfHeads(causal(), kRequest, {.first = 0, .step = 1, .count = 4});
  BlockTables one = *BlockLayout::build(causal(), kRequest)->tables();
  ASSERT_TRUE(all);
  EXPECT_EQ(all->rowsPerHead, 0);
  EXPECT_EQ(all->tables.offsets, one.offsets);
  EXPECT_EQ(all->tables.columns, one.columns);
  EXPECT_EQ(all->tables.rowOrder, one.rowOrder);
  EXPECT_EQ(countsOfHeads(causal(), kRequest, {.count = 4}).live,
            4 * static_cast<int64_t>(one.columns.size()));
}

TEST(HeadTables, WhatDoesNotFitIsRefused) {
  // Each head's table fits; those of 40 heads do not.
  LayoutRequest request = {.nq = 1 << 16, .nk = 1 << 16, .blockQ = 8, .blockK = 8};
  Result<HeadTables> all =
      tablesOfHeads(predicate("q < 8 and h >= 0"), request, {.count = 1 << 18});
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().kind, ErrorKind::Machine);
  EXPECT_EQ(all.error().message,
            "the tables of 262144 heads hold 32-bit offsets, up to 2147483647 blocks; after head 0 "
            "there are 8192 live blocks, in 8192 rows a head");
}

} // namespace
} // namespace sparsec::test
