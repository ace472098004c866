#include "layout/Repeat.h"
#include "tests/Sanitized.h"
#include "tests/layout/Predicates.h"

#include <numeric>
#include <random>

namespace sparsec::test {
namespace {

BlockLayout build(const Expr &attend, const LayoutRequest &request) {
  Result<BlockLayout> layout = BlockLayout::build(attend, request);
  EXPECT_TRUE(layout) << layout.error().message;
  return std::move(*layout);
}

LayoutRequest square(int64_t n, int block) {
  return {.nq = n, .nk = n, .blockQ = block, .blockK = block};
}

TEST(BlockLayout, CausalAsInTheHeader) {
  BlockLayout layout = build(causal(), square(8, 2));
  EXPECT_EQ(layout.print(), "P . . .\n"
                            "F P . .\n"
                            "F F P .\n"
                            "F F F P\n");
  ASSERT_EQ(layout.row(2).size(), 2u);
  EXPECT_EQ(layout.row(2)[0], (BlockRun{0, 2, BlockKind::Full}));
  EXPECT_EQ(layout.row(2)[1], (BlockRun{2, 3, BlockKind::Partial}));
  EXPECT_EQ(layout.counts(), (BlockCounts{.live = 10, .full = 6, .partial = 4}));
}

TEST(BlockLayout, BlocksWhoseKeysPassTheEndArePartial) {
  LayoutRequest request = {.nq = 5, .nk = 5, .blockQ = 2, .blockK = 4};
  EXPECT_EQ(build(predicate("q == q"), request).print(), "F P\nF P\nF P\n");
  EXPECT_EQ(build(causal(), request).print(), "P .\nP .\nF P\n");
  EXPECT_EQ(build(predicate("k < 4"), request).print(), "F .\nF .\nF .\n");
}

TEST(BlockLayout, RowsPastTheEndDoNotCount) {
  // The last block row has row 4 alone, and it sees all of its keys.
  EXPECT_EQ(build(causal(), {.nq = 5, .nk = 8, .q0 = 3, .blockQ = 4, .blockK = 4}).print(),
            "F P\nF F\n");
}

TEST(BlockLayout, PositionsStartAtQ0) {
  LayoutRequest request = {.nq = 4, .nk = 8, .q0 = 4, .blockQ = 2, .blockK = 2};
  EXPECT_EQ(build(causal(), request).print(), "F F P .\nF F F P\n");
  request.q0 = -2;
  EXPECT_EQ(build(causal(), request).print(), ". . . .\nP . . .\n");
}

TEST(BlockLayout, TheHeadAndTheLengthsAreBound) {
  LayoutRequest request = square(8, 4);
  request.h = 3;
  EXPECT_EQ(build(predicate("h == 3"), request).print(), "F F\nF F\n");
  EXPECT_EQ(build(predicate("h % 3 == 1"), request).print(), ". .\n. .\n");
  EXPECT_EQ(build(predicate("k >= n - 4 and q < nq - 4"), request).print(), ". F\n. .\n");
}

TEST(BlockLayout, NothingToAttend) {
  EXPECT_EQ(build(causal(), {.nq = 0, .nk = 8}).rows(), 0);
  BlockLayout noKeys = build(causal(), {.nq = 100, .nk = 0, .blockQ = 64, .blockK = 64});
  EXPECT_EQ(noKeys.rows(), 2);
  EXPECT_EQ(noKeys.columns(), 0);
  EXPECT_TRUE(noKeys.row(1).empty());
  EXPECT_EQ(noKeys.transpose().rows(), 0);
  EXPECT_EQ(noKeys.tables()->offsets, std::vector<int32_t>(5, 0));
}

TEST(BlockLayout, UniformStretchesAreOneRun) {
  BlockLayout layout = build(predicate("k < n - 1"), square(1 << 20, 16));
  ASSERT_EQ(layout.rows(), 1 << 16);
  for (int64_t i : {0, 63, 64, 40'000, 65'535}) {
    ASSERT_EQ(layout.row(i).size(), 2u);
    EXPECT_EQ(layout.row(i)[0], (BlockRun{0, 65'535, BlockKind::Full}));
    EXPECT_EQ(layout.row(i)[1], (BlockRun{65'535, 65'536, BlockKind::Partial}));
  }
}

TEST(BlockLayout, TheTransposeListsColumns) {
  BlockLayout columns =
      build(causal(), {.nq = 8, .nk = 6, .q0 = 0, .blockQ = 2, .blockK = 2}).transpose();
  EXPECT_EQ(columns.print(), "P F F F\n. P F F\n. . P F\n");
  EXPECT_EQ(columns.counts(), (BlockCounts{.live = 9, .full = 6, .partial = 3}));
}

/// The transposed picture, character by character.
std::string turned(const std::string &picture, int64_t rows, int64_t columns) {
  std::string text;
  for (int64_t c = 0; c < columns; ++c) {
    for (int64_t r = 0; r < rows; ++r) {
      text += r ? " " : "";
      text += picture[r * (2 * columns) + 2 * c];
    }
    text += '\n';
  }
  return text;
}

TEST(BlockLayout, TransposesAreExactAndTheirOwnInverse) {
  for (const char *text :
       {"k <= q", "q // 7 == k // 7", "(q - k) % 5 == 0", "hash(q, k, 1) % 9 == 0", "k < 20",
        "(q + k) % 11 < 6", "hash(q // 4, k // 4, 2) % 3 == 0 and k <= q", "q > q", "q == q"}) {
    Expr attend = predicate(text);
    LayoutRequest request = {.nq = 70, .nk = 53, .q0 = 3, .blockQ = 3, .blockK = 4};
    BlockLayout layout = build(attend, request);
    BlockLayout transposed = layout.transpose();
    EXPECT_EQ(transposed.print(), turned(layout.print(), layout.rows(), layout.columns())) << text;
    EXPECT_EQ(transposed.counts(), layout.counts());
    EXPECT_EQ(transposed.transpose(), layout) << text;
    for (int64_t r = 0; r < transposed.rows(); ++r)
      for (size_t i = 1; i < transposed.row(r).size(); ++i) {
        const BlockRun &left = transposed.row(r)[i - 1], &right = transposed.row(r)[i];
        EXPECT_TRUE(left.end < right.begin || left.kind != right.kind) << "runs left unmerged";
      }
  }
}

/// What keys draw is found along the keys: the same blocks as by looking at all.
TEST(BlockLayout, OfWhatKeysDraw) {
  for (const char *text : {"draw(3, k // 4, q // 4, 11, h)", "draw(2, k, q, n, 1) or q == k",
                           "draw(9, k // 8, q // 8, 9, 2) and q - k < 40"})
    for (int64_t q0 : {0, 7, -3})
      for (auto [nq, nk] : {std::pair{43, 43}, {64, 70}, {30, 9}}) {
        LayoutRequest request{.nq = nq, .nk = nk, .q0 = q0, .h = 3, .blockQ = 8, .blockK = 4};
        LayoutRequest looked = request;
        looked.search = LayoutRequest::Search::Rectangles;
        EXPECT_EQ(*BlockLayout::build(predicate(text), request),
                  *BlockLayout::build(predicate(text), looked))
            << text << " " << q0 << " " << nq;
      }
}

/// What queries draw is found a row at a time: a block that several of them share, queries that
/// draw for themselves, numbers of blocks row by row, beside what else there is.
TEST(BlockLayout, OfWhatQueriesDraw) {
  for (const char *text :
       {"draw(3, q // 4, k // 4, 11, h)", "draw(2, q, k, n, 1) or q == k",
        "draw(5, q // 6, k, n, h)", "draw(4, q // 8, k // 8, 9, 2) and q - k < 40",
        "not draw(2, q // 8, k // 8, 8, 2)",
        "abs(q // 8 - k // 8) <= 1 or k < 4 or draw(2, q // 8, k // 8, 6, 2)",
        "draw(2, q // 8, k // 8, 6, 2) or draw(2, k // 8, q // 8, 6, 2)",
        "draw(1, q // 8, 5 - k // 8, 6, 2) or draw(2, q // 4, min(k // 8, 3), 6, 2)",
        "q // 8 * 9 + k // 8 in [0, 3, 4, 12, 18, 27, 28, 29, 44, 45, 53, 62, 66]"})
    for (int64_t q0 : {0, 7, -3})
      for (auto [nq, nk] : {std::pair{43, 43}, {64, 70}, {30, 9}, {9, 90}})
        for (auto [blockQ, blockK] : {std::pair{8, 4}, {16, 8}, {4, 16}}) {
          LayoutRequest request{
              .nq = nq, .nk = nk, .q0 = q0, .h = 3, .blockQ = blockQ, .blockK = blockK};
          Expr attend = predicate(text);
          EXPECT_EQ(build(attend, request).print(), expectedPicture(attend, request))
              << describe(attend, request);
          EXPECT_EQ(*countElements(attend, request), DenseMask(attend, request).count())
              << describe(attend, request);
        }
}

TEST(BlockLayout, TablesListPartialThenFullLongestRowFirst) {
  Result<BlockTables> tables = build(predicate("q - 4 < k < q + 2"), square(8, 2)).tables();
  // P P . .
  // F P P .     "F" where all of q-3 .. q+1 is in reach for both rows
  // P F P P
  // . P F P
  ASSERT_TRUE(tables);
  EXPECT_EQ(tables->offsets, (std::vector<int32_t>{0, 1, 2, 3, 5, 7, 9, 10, 12}));
  EXPECT_EQ(tables->columns, (std::vector<int32_t>{1, 0, 2, 0, 1, 0, 3, 1, 2, 1, 2, 3}));
  EXPECT_EQ(tables->rowOrder, (std::vector<int32_t>{2, 1, 3, 0}));
}

TEST(BlockLayout, TablesHoldEachLiveBlockOnce) {
  Expr attend =
      predicate("hash(q // 2, k // 3, 5) % 3 != 0 and (k <= q or hash(q, k, 1) % 5 == 0)");
  BlockLayout layout = build(attend, {.nq = 61, .nk = 47, .blockQ = 4, .blockK = 3});
  BlockTables tables = *layout.tables();
  std::string text;
  for (int64_t r = 0; r < layout.rows(); ++r) {
    std::string line(layout.columns(), '.');
    for (int32_t i = tables.offsets[2 * r]; i < tables.offsets[2 * r + 2]; ++i)
      line[tables.columns[i]] = i < tables.offsets[2 * r + 1] ? 'P' : 'F';
    for (int64_t c = 0; c < layout.columns(); ++c)
      text += std::string(c ? " " : "") + line[c];
    text += '\n';
  }
  EXPECT_EQ(text, layout.print());
  EXPECT_EQ(static_cast<int64_t>(tables.columns.size()), layout.counts().live);

  auto length = [&](int32_t r) { return tables.offsets[2 * r + 2] - tables.offsets[2 * r]; };
  for (size_t i = 1; i < tables.rowOrder.size(); ++i)
    EXPECT_GE(length(tables.rowOrder[i - 1]), length(tables.rowOrder[i]));
  std::vector<int32_t> sorted = tables.rowOrder, all(layout.rows());
  std::sort(sorted.begin(), sorted.end());
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(sorted, all);
}

TEST(BlockLayout, RowsOfOneLengthKeepTheirOrder) {
  BlockTables tables = *build(predicate("k < 2 or q % 100 == 99"), square(300, 1)).tables();
  std::vector<int32_t> expected = {99, 199, 299};
  for (int32_t r = 0; r < 300; ++r)
    if (r % 100 != 99)
      expected.push_back(r);
  EXPECT_EQ(tables.rowOrder, expected);
}

TEST(BlockLayout, WhatDoesNotFitIsRefused) {
  LayoutRequest small = square(1 << 12, 16);
  small.maximumBytes = 20'000;
  Expr random = predicate("hash(q // 16, k // 16, 1) % 2 == 0");
  Result<BlockLayout> layout = BlockLayout::build(random, small);
  ASSERT_FALSE(layout);
  EXPECT_EQ(layout.error().kind, ErrorKind::Machine);
  EXPECT_EQ(layout.error().message,
            "the layout's 256 block rows have more than 1495 runs of equal blocks (20000 bytes); a "
            "larger block has fewer");

  small.maximumBytes = 2'000;
  layout = BlockLayout::build(random, small);
  ASSERT_FALSE(layout);
  EXPECT_EQ(layout.error().message, "the layout's 256 block rows take 2056 bytes, more than the "
                                    "2000 that a layout may take; a larger block has fewer rows");

  // 2^32 blocks in 65,536 runs are a small layout, but no table for a kernel.
  BlockLayout dense = build(predicate("q == q"), square(1 << 20, 16));
  Result<BlockTables> tables = dense.tables();
  ASSERT_FALSE(tables);
  EXPECT_EQ(tables.error().kind, ErrorKind::Machine);
  EXPECT_EQ(tables.error().message,
            "the layout's tables hold 32-bit offsets, up to 2147483647 blocks; this layout has "
            "4294967296 live blocks in 65536 rows; a larger block has fewer");
}

TEST(BlockLayout, RequestsOutOfRangeAreRefused) {
  auto message = [](const LayoutRequest &request) {
    Result<BlockLayout> layout = BlockLayout::build(causal(), request);
    EXPECT_FALSE(layout);
    return layout ? "" : layout.error().message;
  };
  EXPECT_EQ(message({.nq = -1, .nk = 4}),
            "expected a number of query rows in 0 .. 2147483647, found -1");
  EXPECT_EQ(message({.nq = 4, .nk = int64_t{1} << 31}),
            "expected a number of keys in 0 .. 2147483647, found 2147483648");
  EXPECT_EQ(message({.nq = 4, .nk = 4, .q0 = (int64_t{1} << 31) - 4}),
            "expected q0 of 4 query rows in -2147483647 .. 2147483643, found 2147483644");
  EXPECT_EQ(message({.nq = 4, .nk = 4, .h = 1 << 20}),
            "expected a head in 0 .. 1048575, found 1048576");
  EXPECT_EQ(message({.nq = 4, .nk = 4, .blockQ = 0}),
            "expected blocks of at least 1 x 1, found 0 x 64");
}

/// A random predicate of `operators` connectives over comparisons of the kinds patterns are made
/// of.
Expr randomPredicate(std::mt19937 &random, int operators) {
  auto below = [&](int n) { return static_cast<int>(random() % n); };
  if (operators == 0) {
    int a = 1 + below(40), b = below(60), c = 2 + below(12);
    switch (below(11)) {
    case 0:
      return causal();
    case 1:
      return predicate(fmt::format("0 <= q - k < {}", a));
    case 2:
      return predicate(fmt::format("(q - k) % {} == {}", c, below(c)));
    case 3:
      return predicate(fmt::format("q // {} == k // {}", c, c));
    case 4:
      return predicate(fmt::format("k % {} >= {}", c, below(c)));
    case 5:
      return predicate(
          fmt::format("abs(q // {} - k // {}) + abs(q % {} - k % {}) <= {}", c, c, c, c, below(5)));
    case 6:
      return predicate(fmt::format("{} * q - {} * k < {}", 1 + below(4), 1 + below(4), b));
    case 9:
      return predicate(fmt::format("k < {}", a));
    case 10:
      return predicate(fmt::format("q >= {}", b));
    case 7:
      return predicate(fmt::format("hash(q // {}, k // {}, {}) % {} == 0", c, a, b, 1 + below(9)));
    default:
      return predicate(fmt::format("min(q, {}) >= k or (q * k) % {} == h % {}", b, c, c));
    }
  }
  int left = below(operators);
  switch (below(3)) {
  case 0:
    return make(Op::Not, {randomPredicate(random, operators - 1)});
  case 1:
    return make(Op::And,
                {randomPredicate(random, left), randomPredicate(random, operators - 1 - left)});
  default:
    return make(Op::Or,
                {randomPredicate(random, left), randomPredicate(random, operators - 1 - left)});
  }
}

TEST(BlockLayout, RandomLargerPatternsAreExact) {
  std::mt19937 random(20260722);
  for (int i = 0; i < 1500; ++i) {
    if (isLeftOut(i))
      continue;
    Expr attend = randomPredicate(random, i % 6);
    LayoutRequest request = {.nq = 1 + static_cast<int64_t>(random() % 130),
                             .nk = 1 + static_cast<int64_t>(random() % 130),
                             .q0 = static_cast<int64_t>(random() % 200) - 100,
                             .h = static_cast<int64_t>(random() % 5),
                             .blockQ = 1 + static_cast<int>(random() % 40),
                             .blockK = 1 + static_cast<int>(random() % 40)};
    if (i % 2)
      request.search = LayoutRequest::Search::Cells;
    ASSERT_EQ(build(attend, request).print(), expectedPicture(attend, request))
        << describe(attend, request);
    ASSERT_EQ(*countElements(attend, request), DenseMask(attend, request).count())
        << describe(attend, request);
  }
}

TEST(BlockLayout, RandomPatternsOverManyStripsAreExact) {
  // Small blocks and many rows: rows are copied, with exceptions in the first rows and columns.
  std::mt19937 random(4);
  for (int i = 0; i < 250; ++i) {
    if (isLeftOut(i))
      continue;
    Expr attend = randomPredicate(random, i % 4);
    LayoutRequest request = {.nq = 100 + static_cast<int64_t>(random() % 300),
                             .nk = 50 + static_cast<int64_t>(random() % 150),
                             .q0 = static_cast<int64_t>(random() % 60) - 30,
                             .blockQ = 1 + static_cast<int>(random() % 3),
                             .blockK = 1 + static_cast<int>(random() % 3)};
    if (i % 8 / 4) // each number of connectives both ways
      request.search = LayoutRequest::Search::Cells;
    ASSERT_EQ(build(attend, request).print(), expectedPicture(attend, request))
        << describe(attend, request);
  }
}

TEST(Repeat, IsFoundPastTheExceptions) {
  LayoutRequest request = {.nq = 1 << 16, .nk = 1 << 16, .blockQ = 32, .blockK = 64};
  Order queries = Order::natural(request.nq, 32), keys = Order::natural(request.nk, 64);
  auto find = [&](const char *text, int64_t firstRow) {
    std::optional<Repeat> r = findRepeat(predicate(text), request, queries, keys, firstRow);
    return r ? fmt::format("{} {} from {} {}", r->rows, r->columns, r->firstRow, r->firstColumn)
             : "none";
  };
  EXPECT_EQ(find("k <= q", 0), "2 1 from 0 0");
  EXPECT_EQ(find("k <= q and (q - k) % 96 == 0", 0), "2 1 from 0 0");
  EXPECT_EQ(find("k <= q and q // 96 == k // 96", 0), "6 3 from 0 0");
  EXPECT_EQ(find("k % 96 == 0", 0), "1 0 from 0 0");
  EXPECT_EQ(find("(q * k) % 96 == 0", 0), "3 0 from 0 0");
  EXPECT_EQ(find("k <= q and (k < 100 or (q - k) % 128 == 0)", 0), "2 1 from 0 2");
  EXPECT_EQ(find("k <= q or q < 100", 0), "none");
  EXPECT_EQ(find("k <= q or q < 100", 64), "2 1 from 64 0");
  EXPECT_EQ(find("hash(q, k, 0) % 2 == 0", 0), "none");
  EXPECT_EQ(find("q // 20000 == k // 20000", 0), "none") << "40,000 fit once";
}

} // namespace
} // namespace sparsec::test
