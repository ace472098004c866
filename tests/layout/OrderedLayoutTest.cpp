// Layouts in token orders: each live block, taken back to positions, is the predicate.
#include "tests/Sanitized.h"
#include "tests/layout/Orders.h"
#include "tests/layout/Predicates.h"

namespace sparsec::test {
namespace {

BlockLayout build(const Expr &attend, const LayoutRequest &request, const OrderSpec &queries,
                  const OrderSpec &keys) {
  Result<BlockLayout> layout =
      BlockLayout::build(attend, request, make(queries, request.nq, request.blockQ),
                         make(keys, request.nk, request.blockK));
  EXPECT_TRUE(layout) << layout.error().message;
  return std::move(*layout);
}

/// The layout's picture, from the positions that its tiles hold and one evaluation a pair.
std::string expected(const DenseMask &mask, const Order &queries, const Order &keys) {
  std::string text;
  for (int64_t i = 0; i < queries.tileCount(); ++i)
    for (int64_t j = 0; j < keys.tileCount(); ++j) {
      std::vector<int64_t> q = queries.positions(i), k = keys.positions(j);
      bool any = false, all = static_cast<int>(k.size()) == keys.tile();
      for (int64_t row : q)
        for (int64_t key : k)
          (mask.at(row, key) ? any : all) = mask.at(row, key);
      text += !any ? '.' : all ? 'F' : 'P';
      text += j + 1 < keys.tileCount() ? ' ' : '\n';
    }
  return text;
}

const char *const kPatterns[] = {
    "k <= q",
    "k <= q and (q - k) % 3 == 0",
    "k <= q and (q - k) % 5 == 0 or q - k == 1",
    "k <= q and (q // 4 == k // 4 or k % 4 == 3)",
    "k % 5 >= 3 and k <= q",
    "abs(q // 4 - k // 4) <= 1 and abs(q % 4 - k % 4) <= 1",
    "hash(q, k, 1) % 3 == 0",
    "q == q",
    "k < 6",
    "q > 3",
};

TEST(OrderedLayout, EachLiveBlockIsThePredicate) {
  int64_t visited = 0;
  for (const char *text : kPatterns)
    for (auto [nq, nk, q0] : {std::array{12, 12, 0}, std::array{23, 23, 0}, std::array{7, 23, 16},
                              std::array{17, 10, -3}})
      for (int block : {2, 4, 8}) {
        Expr attend = predicate(text);
        LayoutRequest request = {.nq = nq, .nk = nk, .q0 = q0, .blockQ = block, .blockK = block};
        DenseMask mask(attend, request);
        for (const OrderSpec &queries : someOrders(nq))
          for (const OrderSpec &keys : someOrders(nk)) {
            if (isLeftOut(visited++))
              continue;
            BlockLayout layout = build(attend, request, queries, keys);
            ASSERT_EQ(layout.print(),
                      expected(mask, make(queries, nq, block), make(keys, nk, block)))
                << describe(attend, request) << "\nqueries " << print(queries) << ", keys "
                << print(keys);
          }
      }
}

TEST(OrderedLayout, UnequalTilesAndManyRows) {
  for (const char *text : {"k <= q and (q - k) % 12 == 0",
                           "k <= q and (q // 12 == k // 12 or "
                           "k % 12 >= 9)",
                           "abs(q // 12 - k // 12) <= 2 and abs(q % 12 - k % 12) <= 2"}) {
    Expr attend = predicate(text);
    LayoutRequest request = {.nq = 300, .nk = 310, .q0 = 10, .blockQ = 3, .blockK = 5};
    DenseMask mask(attend, request);
    for (const OrderSpec &queries :
         std::vector<OrderSpec>{NaturalOrder{}, ResidueOrder{12}, GridOrder{{26, 12}, {4, 4}}})
      for (const OrderSpec &keys :
           std::vector<OrderSpec>{ResidueOrder{12}, TailsOrder{12, 3}, GridOrder{{26, 12}, {4, 4}},
                                  GridOrder{{5, 6, 12}, {2, 2, 4}}, shuffled(310, 3)})
        EXPECT_EQ(build(attend, request, queries, keys).print(),
                  expected(mask, make(queries, 300, 3), make(keys, 310, 5)))
            << text << "\nqueries " << print(queries) << ", keys " << print(keys);
  }
}

TEST(OrderedLayout, ChainsAndBoxesRepeat) {
  int64_t visited = 0;
  // Large enough for rows to be copied, ragged at both ends.
  for (const char *text :
       {"k <= q and (q - k) % 12 == 0", "0 <= q - k and q - k < 24 and (q - k) % 4 == 0",
        "abs(q // 12 - k // 12) <= 2 and abs(q % 12 - k % 12) <= 2", "k % 12 >= 9",
        "(q - k) % 12 < 2 and k <= q"})
    for (auto [nq, nk, q0] :
         {std::array{600, 600, 0}, std::array{611, 623, 12}, std::array{590, 577, 0}}) {
      Expr attend = predicate(text);
      LayoutRequest request = {.nq = nq, .nk = nk, .q0 = q0, .blockQ = 8, .blockK = 4};
      DenseMask mask(attend, request);
      for (const OrderSpec &order : std::vector<OrderSpec>{
               ResidueOrder{12}, ResidueOrder{4}, GridOrder{{52, 12}, {4, 4}}, TailsOrder{12, 3}}) {
        if (isLeftOut(visited++))
          continue;
        EXPECT_EQ(build(attend, request, order, order).print(),
                  expected(mask, make(order, nq, 8), make(order, nk, 4)))
            << describe(attend, request) << "\n"
            << print(order);
      }
    }
}

int64_t columnBlocks(int64_t n, int64_t l, int block, OrderSpec order) {
  LayoutRequest request = {.nq = n, .nk = n, .blockQ = block, .blockK = block};
  return build(column(l), request, order, order).counts().live;
}

TEST(OrderedLayout, AStridedColumnIsSmallTriangles) {
  EXPECT_EQ(columnBlocks(12'288, 128, 32, NaturalOrder{}), 18'624);
  EXPECT_EQ(columnBlocks(12'288, 128, 32, ResidueOrder{128}), 768);
  EXPECT_EQ(columnBlocks(3'072, 96, 32, ResidueOrder{96}), 96);
  EXPECT_EQ(columnBlocks(65'536, 256, 32, ResidueOrder{256}), 9'216);
  EXPECT_EQ(columnBlocks(262'144, 512, 32, ResidueOrder{512}), 69'632);
  EXPECT_EQ(columnBlocks(1'048'576, 1'024, 32, ResidueOrder{1'024}), 540'672);
}

TEST(OrderedLayout, TheCountsOfThePaper) {
  // Section 1.5's other columns at b = 32: local, and fixed and dense where they are given.
  auto live = [](const Expr &attend, int64_t n) {
    LayoutRequest request = {.nq = n, .nk = n, .blockQ = 32, .blockK = 32};
    return build(attend, request, NaturalOrder{}, NaturalOrder{}).counts().live;
  };
  EXPECT_EQ(live(local(128), 12'288), 1'910);
  EXPECT_EQ(live(local(256), 65'536), 18'396);
  EXPECT_EQ(live(local(512), 262'144), 139'128);
  EXPECT_EQ(live(local(1'024), 1'048'576), 1'080'816);
  EXPECT_EQ(live(fixedMerged(128, 32), 12'288), 19'200);
  EXPECT_EQ(live(fixedMerged(256, 32), 65'536), 270'336);
  EXPECT_EQ(live(causal(), 12'288), 73'920);
  EXPECT_EQ(live(causal(), 65'536), 2'098'176);
}

TEST(OrderedLayout, ChainsThatNoBlockDivides) {
  // 96 = 64 + 32: three blocks a chain.
  EXPECT_EQ(columnBlocks(12'288, 128, 64, ResidueOrder{128}), 128 * 3);
  // 24 tokens a chain, one chain in a tile of 32 (the source calls this not tileable); two in 64.
  EXPECT_EQ(columnBlocks(3'072, 128, 32, ResidueOrder{128}), 128);
  EXPECT_EQ(columnBlocks(3'072, 128, 64, ResidueOrder{128}), 64);
  // One token more: chain 0 has 97 and a fourth tile, which sees the chain's four.
  EXPECT_EQ(columnBlocks(12'289, 128, 32, ResidueOrder{128}), 768 + 4);
  EXPECT_EQ(columnBlocks(12'287, 128, 32, ResidueOrder{128}), 768);
}

TEST(OrderedLayout, FixedGathersItsSummaryKeys) {
  constexpr int64_t kN = 12'288;
  LayoutRequest request = {.nq = kN, .nk = kN, .blockQ = 128, .blockK = 128};
  EXPECT_EQ(build(fixedMerged(128, 32), request, NaturalOrder{}, NaturalOrder{}).counts().live,
            4'656)
      << "all causal blocks";
  // Query tile i sees tail tiles 0 .. i // 4 (four tails of 32 each): 4 (1 + ... + 24) = 1,200;
  // and one body, its own: 96.
  EXPECT_EQ(build(fixedMerged(128, 32), request, NaturalOrder{}, TailsOrder{128, 32}).counts().live,
            1'200 + 96);
}

} // namespace
} // namespace sparsec::test
