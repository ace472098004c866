// The counts of the Sparse Transformer's patterns: keys per query and live blocks of 32, as
// published for the paper's settings, and the exact sums that they round.
#include "patterns/Pattern.h"
#include "tests/layout/Predicates.h"

namespace sparsec::test {
namespace {

struct Setting {
  int64_t n, l;
  double local, column, united, fixed, dense; ///< keys per query, rounded as published
  /// Live blocks of 32; 0: not published. (The strided column's are of a reordered sequence.)
  int64_t localBlocks, fixedBlocks, denseBlocks;
};

constexpr Setting kSettings[] = {
    {3072, 96, 94.5, 16.5, 110, 544.5, 1536.5, 378, 1680, 4656},
    {3072, 128, 125.4, 12.5, 136.9, 432.5, 1536.5, 470, 1344, 4656},
    {12288, 128, 127.3, 48.5, 174.8, 1584.5, 6144.5, 1910, 19200, 73920},
    {65536, 256, 255.5, 128.5, 383, 4208.5, 32768.5, 18396, 270336, 2098176},
    {262144, 512, 511.5, 256.5, 767, 8432.5, 131072.5, 139128, 0, 0},
    {1048576, 1024, 1023.5, 512.5, 1535, 16880.5, 524288.5, 1080816, 0, 0},
};

LayoutRequest square(int64_t n, int block) {
  return {.nq = n, .nk = n, .blockQ = block, .blockK = block};
}

/// An entry of a zoo file with these parameters.
Expr zoo(const std::string &name, const std::map<std::string, int64_t> &params, size_t entry = 0) {
  Result<Pattern> pattern = parsePattern(zooFile(name), {.params = params});
  EXPECT_TRUE(pattern) << pattern.error().render();
  return pattern->heads[entry].attend;
}

// The same numbers by one loop over the rows: how many keys each row has, from the definitions in
// words.
struct RowSums {
  int64_t local = 0, column = 0, united = 0, fixed = 0, dense = 0;
};
RowSums rowSums(int64_t n, int64_t l, int64_t c) {
  RowSums sums;
  for (int64_t i = 0; i < n; ++i) {
    int64_t window = std::min(i + 1, l), chain = i / l + 1;
    int64_t own = i % l + 1;         // of the row's own block of l
    int64_t summaries = (i / l) * c; // c in each earlier block
    sums.local += window;
    sums.column += chain;
    sums.united += window + chain - 1; // both have q itself, and nothing else
    sums.fixed += own + summaries;
    sums.dense += i + 1;
  }
  return sums;
}

TEST(Count, PublishedSettings) {
  for (const Setting &s : kSettings) {
    SCOPED_TRACE(fmt::format("n = {}, l = {}", s.n, s.l));
    LayoutRequest request = square(s.n, 32);
    RowSums sums = rowSums(s.n, s.l, 32);
    auto check = [&](const Expr &attend, int64_t sum, double published) {
      int64_t elements = *countElements(attend, request);
      EXPECT_EQ(elements, sum);
      EXPECT_NEAR(static_cast<double>(elements) / static_cast<double>(s.n), published, 0.0501);
    };
    check(zoo("local", {{"l", s.l}}), sums.local, s.local);
    check(zoo("strided", {{"l", s.l}}, 0), sums.local, s.local);
    check(zoo("strided", {{"l", s.l}}, 1), sums.column, s.column);
    check(zoo("strided-merged", {{"l", s.l}}), sums.united, s.united);
    check(zoo("fixed", {{"l", s.l}, {"c", 32}}), sums.fixed, s.fixed);
    check(zoo("causal", {}), sums.dense, s.dense);
  }
}

TEST(Count, PublishedBlocks) {
  for (const Setting &s : kSettings) {
    SCOPED_TRACE(fmt::format("n = {}, l = {}", s.n, s.l));
    auto live = [&](const Expr &attend) {
      return BlockLayout::build(attend, square(s.n, 32))->counts().live;
    };
    EXPECT_EQ(live(zoo("local", {{"l", s.l}})), s.localBlocks);
    if (s.fixedBlocks) {
      EXPECT_EQ(live(zoo("fixed", {{"l", s.l}, {"c", 32}})), s.fixedBlocks);
      EXPECT_EQ(live(zoo("causal", {})), s.denseBlocks);
    }
  }
}

TEST(Count, FullAndPartialBlocks) {
  auto counts = [&](const Expr &attend) {
    return BlockLayout::build(attend, square(12288, 32))->counts();
  };
  EXPECT_EQ(counts(zoo("strided", {{"l", 128}}, 0)),
            (BlockCounts{.live = 1910, .full = 1146, .partial = 764}));
  EXPECT_EQ(counts(zoo("fixed", {{"l", 128}, {"c", 32}})),
            (BlockCounts{.live = 19200, .full = 18816, .partial = 384}));
  EXPECT_EQ(counts(zoo("strided", {{"l", 128}}, 1)),
            (BlockCounts{.live = 18624, .full = 0, .partial = 18624}))
      << "natural order: a block of 32 holds a few pairs of the column each";
}

TEST(Count, DistinctSummaryColumnsCoverTheTriangle) {
  // Four heads of 32 columns in blocks of 128: the same number of blocks each, together all.
  Expr fixed = zoo("fixed-heads", {{"l", 128}, {"c", 32}});
  int64_t live = 0;
  for (int64_t h = 0; h < 4; ++h) {
    LayoutRequest request = square(1024, 32);
    request.h = h;
    BlockLayout layout = *BlockLayout::build(fixed, request);
    EXPECT_EQ(layout.counts().live, BlockLayout::build(fixed, square(1024, 32))->counts().live);
    live += layout.counts().live;
  }
  // All 528 blocks of the triangle, the 80 of the rows' own groups in each of the four heads.
  EXPECT_EQ(live, 528 + 3 * 80);
}

TEST(Count, AnyPositionsAndLengths) {
  for (int64_t nq : {1, 7, 64, 100, 131})
    for (int64_t nk : {1, 8, 63, 128, 150})
      for (int64_t q0 : {int64_t{-40}, int64_t{0}, nk - nq, int64_t{30}})
        for (const Expr &attend : {causal(), local(9), column(7), united(6), fixedMerged(8, 2),
                                   predicate("k < 5 or k <= q and (q - k) % 3 == 0"),
                                   predicate("(q + k) % 6 == 1 and k < q + 50"),
                                   predicate("k % 11 == q // 11 and k <= q")}) {
          LayoutRequest request = {.nq = nq, .nk = nk, .q0 = q0, .blockQ = 16, .blockK = 8};
          ASSERT_EQ(*countElements(attend, request), DenseMask(attend, request).count())
              << describe(attend, request);
          ASSERT_EQ(BlockLayout::build(attend, request)->print(), expectedPicture(attend, request))
              << describe(attend, request);
        }
}

TEST(Count, LongSequences) {
  // No pair is visited here: 2^60 of them.
  LayoutRequest request = square(1 << 30, 64);
  int64_t n = request.nq;
  EXPECT_EQ(*countElements(causal(), request), n * (n + 1) / 2);
  EXPECT_EQ(*countElements(predicate("k < 64 or k <= q"), request), n * (n + 1) / 2 + 63 * 64 / 2);
  EXPECT_EQ(*countElements(predicate("k % 1024 >= 1000"), request), n / 1024 * 24 * n);
  int64_t chains = n / 4096;
  EXPECT_EQ(*countElements(column(4096), request), 4096 * chains * (chains + 1) / 2);
}

TEST(Count, TheStridedColumn) {
  LayoutRequest request = square(12288, 32);
  EXPECT_EQ(*countElements(column(128), request), 128 * 96 * 97 / 2);
  Result<BlockLayout> layout = BlockLayout::build(column(128), request);
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->counts().live, 18624);
}

TEST(Count, CausalElements) {
  for (int64_t nq : {0, 1, 5, 9})
    for (int64_t nk : {0, 1, 6, 9})
      for (int64_t q0 = -12; q0 <= 12; ++q0) {
        LayoutRequest request = {.nq = nq, .nk = nk, .q0 = q0};
        EXPECT_EQ(causalElements(request), DenseMask(causal(), request).count())
            << nq << " " << nk << " " << q0;
        EXPECT_EQ(causalElements(request), *countElements(causal(), request));
      }
}

} // namespace
} // namespace sparsec::test
