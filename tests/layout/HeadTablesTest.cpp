#include "layout/LaunchNumbers.h"
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

/// Of `rows` rows that all see what is before them: those at either end and in the middle.
void expectCausalRows(const ClosedForm &form, int32_t rows) {
  ASSERT_EQ(form.rows(), rows);
  for (int32_t r : {0, 1, rows / 2, rows - 1}) {
    int64_t full = 0, partial = 0, lastFull = 0, lastPartial = 0;
    RowBlocks blocks = form.row(r);
    for (int i = 0; i < RowBlocks::kRuns; ++i) {
      const Progression &run = blocks.runs[i];
      (i < RowBlocks::kPartial ? partial : full) += run.count;
      if (run.count > 0)
        (i < RowBlocks::kPartial ? lastPartial : lastFull) = run.first + run.count - 1;
    }
    EXPECT_EQ(full, r);
    EXPECT_EQ(partial, 1);
    EXPECT_EQ(lastPartial, r);
    EXPECT_EQ(lastFull, std::max(r - 1, 0));
  }
}

LaunchNumbers launchOf(const Expr &attend, int64_t n, int block, int64_t heads) {
  Result<LaunchNumbers> numbers =
      launchNumbers(attend, {.nq = n, .nk = n, .blockQ = block, .blockK = block}, NaturalOrder{},
                    NaturalOrder{}, {.count = heads});
  EXPECT_TRUE(numbers) << numbers.error().message;
  return numbers ? *numbers : LaunchNumbers();
}

TEST(HeadTables, FormsTellMoreBlocksThanTablesCould) {
  // Four million tokens in blocks of 64, and the longest sequence there is in blocks of 4,096.
  for (auto [n, block] : {std::pair{int64_t{1} << 22, 64}, {(int64_t{1} << 31) - 1, 4096}}) {
    int64_t rows = (n + block - 1) / block, live = rows * (rows + 1) / 2;
    ASSERT_GT(live, int64_t{INT32_MAX});
    LaunchNumbers numbers = launchOf(causal(), n, block, 3);
    ASSERT_TRUE(numbers.forms);
    EXPECT_LT(numbers.bytes(), 1024);
    EXPECT_EQ(numbers.counts, (BlockCounts{3 * live, 3 * (live - rows), 3 * rows}));
    LayoutRequest request = {.nq = n, .nk = n, .blockQ = block, .blockK = block};
    expectCausalRows(*ClosedForm::find(*BlockLayout::build(causal(), request)),
                     static_cast<int32_t>(rows));
  }
  // Heads of their own: each list fits, their sum does not.
  LaunchNumbers numbers = launchOf(predicate("k <= q and h >= 0"), int64_t{1} << 21, 64, 5);
  ASSERT_TRUE(numbers.forms);
  EXPECT_EQ(numbers.counts.live, 5 * (32'768LL * 32'769 / 2));
}

TEST(HeadTables, WhatDoesNotFitIsRefused) {
  // A kernel that reads no forms: one table of 2^31 blocks and some.
  LayoutRequest request = {.nq = 1 << 22, .nk = 1 << 22};
  Result<LaunchNumbers> numbers = launchNumbers(causal(), request, NaturalOrder{}, NaturalOrder{},
                                                {.count = 1}, BlockSource::Tables);
  ASSERT_FALSE(numbers);
  EXPECT_EQ(numbers.error().kind, ErrorKind::Machine);
  EXPECT_EQ(numbers.error().message,
            "this kernel reads its blocks from tables, whose 32-bit offsets reach 2147483647 "
            "blocks; 1 table of 65536 rows would list 2147516416; a larger block has fewer");
}

TEST(HeadTables, TablesOfAllHeadsAreOne) {
  // Each head's blocks fit, those of five do not.
  Result<HeadTables> all =
      tablesOfHeads(predicate("k <= q and h >= 0"), {.nq = 1 << 21, .nk = 1 << 21}, {.count = 5});
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().message,
            "this kernel reads its blocks from tables, whose 32-bit offsets reach 2147483647 "
            "blocks; 5 tables of 32768 rows would list 2684436480; a larger block has fewer");
}

TEST(HeadTables, CountsOfAllHeadsFitSixtyFourBits) {
  // 10^15 blocks a head, of 65,535 heads.
  int64_t n = (int64_t{1} << 31) - 1;
  Result<HeadLayouts> heads =
      layoutsOfHeads(predicate("q == q"), {.nq = n, .nk = n, .blockQ = 4096, .blockK = 1},
                     Order::natural(n, 4096), Order::natural(n, 1), {.count = 65'535});
  ASSERT_FALSE(heads);
  EXPECT_EQ(heads.error().message,
            "the 1125899906318336 live blocks of each of 65535 heads are too many to count");
}

} // namespace
} // namespace sparsec::test
