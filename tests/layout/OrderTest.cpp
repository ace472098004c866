#include "tests/Sanitized.h"
#include "tests/layout/Orders.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace sparsec::test {
namespace {

/// The tiles as the header draws them.
std::string picture(const OrderSpec &spec, int64_t n, int tile) {
  Order order = make(spec, n, tile);
  std::string text;
  for (int64_t t = 0; t < order.tileCount(); ++t)
    text += fmt::format("{}{}", t ? " | " : "", fmt::join(order.positions(t), " "));
  return text;
}

TEST(Order, AsInTheHeader) {
  EXPECT_EQ(picture(NaturalOrder{}, 8, 4), "0 1 2 3 | 4 5 6 7");
  EXPECT_EQ(picture(ResidueOrder{2}, 10, 4), "0 2 4 6 | 8 | 1 3 5 7 | 9");
  EXPECT_EQ(picture(ResidueOrder{4}, 10, 8), "0 1 4 5 8 9 | 2 3 6 7");
  EXPECT_EQ(picture(TailsOrder{4, 1}, 12, 3), "3 7 11 | 0 1 2 | 4 5 6 | 8 9 10");
  EXPECT_EQ(picture(GridOrder{{4, 4}, {2, 2}}, 16, 4),
            "0 1 4 5 | 2 3 6 7 | 8 9 12 13 | 10 11 14 15");

  TileRows rows = *make(ResidueOrder{128}, 12'288, 64).tileRows(5);
  EXPECT_EQ(rows.base, 8194);
  EXPECT_EQ(rows.count, 32);
  EXPECT_EQ(rows.digits[1], (TileRows::Digit{32, 128}));
}

TEST(Order, RaggedEnds) {
  EXPECT_EQ(picture(NaturalOrder{}, 5, 4), "0 1 2 3 | 4");
  EXPECT_EQ(picture(ResidueOrder{3}, 7, 2), "0 3 | 6 | 1 4 |  | 2 5 | ")
      << "chains 1 and 2 end early";
  EXPECT_EQ(picture(ResidueOrder{100}, 5, 2), "0 1 | 2 3 | 4") << "n below the period";
  EXPECT_EQ(picture(TailsOrder{4, 1}, 6, 2), "3 | 0 1 | 2 | 4 5 | ") << "no second tail";
  EXPECT_EQ(picture(TailsOrder{4, 2}, 7, 4), "2 3 6 | 0 1 4 5");
  EXPECT_EQ(picture(TailsOrder{4, 1}, 3, 2), "0 1 | 2") << "no tail at all";
  EXPECT_EQ(picture(GridOrder{{3, 3}, {2, 2}}, 8, 4), "0 1 3 4 | 2 5 | 6 7 | ");
  EXPECT_EQ(picture(GridOrder{{2, 3}, {1, 3}}, 8, 3), "0 1 2 | 3 4 5 | 6 7")
      << "tokens past the first size go on";
  EXPECT_EQ(picture(GridOrder{{2, 2, 2}, {2, 1, 2}}, 8, 4), "0 1 4 5 | 2 3 6 7");
  EXPECT_EQ(picture(GridOrder{{2, 2, 2}, {2, 2, 2}}, 8, 4), "0 1 2 3 | 4 5 6 7");
  EXPECT_EQ(picture(NaturalOrder{}, 0, 4), "");
  EXPECT_EQ(picture(TailsOrder{4, 1}, 0, 4), "");
}

/// Which run a position belongs to: no tile may hold part of one and something else.
int64_t runOf(const OrderSpec &spec, int64_t position) {
  if (const auto *residue = std::get_if<ResidueOrder>(&spec))
    return position % residue->period;
  if (const auto *tails = std::get_if<TailsOrder>(&spec)) {
    bool tail = position % tails->period >= tails->period - tails->width;
    return 2 * (position / tails->period) + tail;
  }
  if (const auto *grid = std::get_if<GridOrder>(&spec)) {
    int64_t run = 0, pitch = 1, scale = 1;
    for (size_t i = grid->sizes.size(); i-- > 0;) {
      int64_t x = position / pitch;
      x = i ? x % grid->sizes[i] : x;
      run += x / grid->tile[i] * scale;
      scale *= 1000;
      pitch *= grid->sizes[i];
    }
    return run;
  }
  return 0;
}

void checkRuns(const Order &order, const std::string &what) {
  std::map<int64_t, std::set<int64_t>> tilesOf;
  std::vector<std::set<int64_t>> runsOf(order.tileCount());
  for (int64_t t = 0; t < order.tileCount(); ++t)
    for (int64_t position : order.positions(t)) {
      int64_t run = runOf(order.spec(), position);
      tilesOf[run].insert(t);
      runsOf[t].insert(run);
    }
  for (const auto &runs : runsOf)
    for (int64_t run : runs)
      EXPECT_TRUE(runs.size() == 1 || tilesOf[run].size() == 1) << what << " run " << run;
}

/// The arithmetic of the header, once more: what generated code will do with a lattice's numbers.
std::vector<int64_t> asAKernelWould(const Order &order, int64_t tile) {
  size_t which = order.lattices().size() - 1;
  while (order.lattices()[which].firstTile > tile)
    --which;
  const Lattice &lattice = order.lattices()[which];
  int64_t parts = 1;
  for (const Lattice::Axis &axis : lattice.axes)
    parts *= axis.parts();
  int64_t box = (tile - lattice.firstTile) / parts, part = (tile - lattice.firstTile) % parts;
  int64_t base = lattice.base, count[3];
  for (int i = 2; i >= 0; --i) {
    const Lattice::Axis &axis = lattice.axes[i];
    int64_t inBox = part % axis.parts() * axis.cut;
    int64_t x = box % axis.boxes() * axis.box + inBox;
    part /= axis.parts();
    box /= axis.boxes();
    count[i] = std::max<int64_t>(0, std::min({axis.cut, axis.box - inBox, axis.extent - x}));
    base += x * axis.pitch;
  }
  std::vector<int64_t> result;
  bool ended = false;
  for (int64_t row = 0; row < order.tile(); ++row) {
    if (row >= count[0] * count[1] * count[2])
      break;
    int64_t position = base + row % count[2] * lattice.axes[2].pitch +
                       row / count[2] % count[1] * lattice.axes[1].pitch +
                       row / count[2] / count[1] * lattice.axes[0].pitch;
    ended |= position >= order.size();
    EXPECT_EQ(ended, position >= order.size()) << "existing rows come first";
    if (!ended)
      result.push_back(position);
  }
  return result;
}

void checkTiles(const Order &order, const std::string &what) {
  std::vector<int> seen(order.size());
  std::vector<int64_t> shortTiles;
  for (int64_t t = 0; t < order.tileCount(); ++t) {
    std::vector<int64_t> positions = order.positions(t);
    EXPECT_EQ(static_cast<int64_t>(positions.size()), order.tokens(t));
    EXPECT_LE(order.tokens(t), order.tile()) << what;
    if (order.tokens(t) < order.tile())
      shortTiles.push_back(t);
    for (int64_t position : positions) {
      ASSERT_TRUE(0 <= position && position < order.size()) << what;
      ++seen[position];
    }
    if (std::optional<TileRows> rows = order.tileRows(t)) {
      EXPECT_EQ(asAKernelWould(order, t), positions) << what << " tile " << t;
      EXPECT_TRUE(std::is_sorted(positions.begin(), positions.end())) << what;
    }
  }
  EXPECT_EQ(seen, std::vector<int>(order.size(), 1)) << what;
  EXPECT_EQ(order.shortTiles(), shortTiles) << what;
}

/// Positions of every stretch of tiles.
void checkStretches(const Order &order, const std::string &what) {
  for (int64_t first = 0; first < order.tileCount(); ++first) {
    std::vector<int64_t> expected;
    for (int64_t last = first + 1; last <= order.tileCount(); ++last) {
      for (int64_t position : order.positions(last - 1))
        expected.push_back(position);
      std::sort(expected.begin(), expected.end());
      std::vector<int64_t> found;
      for (const Range &range : order.rows(first, last)) {
        EXPECT_TRUE(range.count >= 1 && range.step >= 1) << what;
        for (int64_t i = 0; i < range.count; ++i)
          found.push_back(range.first + i * range.step);
      }
      std::sort(found.begin(), found.end());
      ASSERT_EQ(found, expected) << what << " tiles " << first << " .. " << last;
    }
  }
}

TEST(Order, EveryOrderAtEverySmallLengthAndTile) {
  int64_t visited = 0;
  for (int64_t n = 0; n <= 50; n = n < 20 ? n + 1 : n + 7)
    for (int tile : {1, 2, 3, 4, 7, 8, 16, 64})
      for (const OrderSpec &spec : someOrders(n)) {
        if (isLeftOut(visited++))
          continue;
        Order order = make(spec, n, tile);
        std::string what = fmt::format("{}, n = {}, tiles of {}", print(spec), n, tile);
        checkTiles(order, what);
        checkStretches(order, what);
        if (!std::holds_alternative<TableOrder>(spec) &&
            !std::holds_alternative<NaturalOrder>(spec))
          checkRuns(order, what);
      }
}

TEST(Order, ShortChainsShareTilesAndLongOnesDoNot) {
  // 100 tails of 32: four to a tile of 128.
  Order tails = make(TailsOrder{128, 32}, 12'800, 128);
  EXPECT_EQ(tails.tileCount(), 25 + 100);
  EXPECT_EQ(tails.tokens(24), 128);
  EXPECT_EQ(tails.tokens(25), 96) << "a body alone";
  EXPECT_EQ(make(ResidueOrder{96}, 3'072, 64).tileCount(), 48) << "two chains of 32";
  EXPECT_EQ(make(ResidueOrder{128}, 12'288, 64).tileCount(), 256) << "96 = 64 + 32";
}

TEST(Order, AnOrderIsAValue) {
  EXPECT_EQ(print(OrderSpec(NaturalOrder{})), "natural");
  EXPECT_EQ(print(OrderSpec(ResidueOrder{128})), "residue 128");
  EXPECT_EQ(print(OrderSpec(TailsOrder{128, 32})), "tails 128, 32");
  EXPECT_EQ(print(OrderSpec(GridOrder{{64, 64}, {8, 8}})), "grid 64 x 64 by 8 x 8");
  EXPECT_EQ(print(OrderSpec(shuffled(4, 1))), "table shuffled");
  EXPECT_EQ(OrderSpec(ResidueOrder{3}), OrderSpec(ResidueOrder{3}));
  EXPECT_NE(OrderSpec(ResidueOrder{3}), OrderSpec(ResidueOrder{4}));
  EXPECT_NE(OrderSpec(ResidueOrder{1}), OrderSpec(NaturalOrder{}));
  EXPECT_EQ(OrderSpec(shuffled(9, 1)), OrderSpec(shuffled(9, 1)));
  EXPECT_NE(OrderSpec(shuffled(9, 1)), OrderSpec(shuffled(9, 2)));
}

std::string refusal(const OrderSpec &spec, int64_t n = 100) {
  Result<Order> order = Order::make(spec, n, 4);
  return order ? "" : order.error().message;
}

TableOrder tableOf(std::vector<int32_t> positions) {
  return {.name = "t", .positions = std::make_shared<std::vector<int32_t>>(positions)};
}

TEST(Order, WhatIsNoOrderIsRefused) {
  EXPECT_EQ(refusal(ResidueOrder{0}), "expected a residue's period in 1 .. 2147483647, found 0");
  EXPECT_EQ(refusal(TailsOrder{0, 1}), "expected a period of tails in 1 .. 2147483647, found 0");
  EXPECT_EQ(refusal(TailsOrder{8, 9}), "expected tails of 1 .. 8, the period, found 9");
  EXPECT_EQ(refusal(TailsOrder{8, 0}), "expected tails of 1 .. 8, the period, found 0");
  EXPECT_EQ(refusal(GridOrder{{8}, {8}}), "expected a grid of 2 or 3 sizes, found 1");
  EXPECT_EQ(refusal(GridOrder{{8, 8}, {8}}), "expected a tile of 2 sizes, as the grid's, found 1");
  EXPECT_EQ(refusal(GridOrder{{8, 4}, {2, 5}}),
            "expected a tile inside the grid of 8 x 4, found 2 x 5");
  EXPECT_EQ(refusal(GridOrder{{8, 4}, {0, 2}}),
            "expected a tile inside the grid of 8 x 4, found 0 x 2");
  EXPECT_EQ(refusal(GridOrder{{1 << 20, 1 << 20}, {2, 2}}),
            "expected a grid of 1 .. 2147483647 tokens, found 1048576 x 1048576");
  EXPECT_EQ(refusal(tableOf({}), 0), "expected the positions of the order, found none in 't'");
  EXPECT_EQ(refusal(tableOf({0, 1, 3})), "expected a permutation of 0 .. 2, found 3");
  EXPECT_EQ(refusal(tableOf({0, -1, 2})), "expected a permutation of 0 .. 2, found -1");
  EXPECT_EQ(refusal(tableOf({2, 0, 2})),
            "expected each position of 0 .. 2 once, found 2 at places 0 and 2");
  EXPECT_EQ(refusal(tableOf({2, 0, 1}), 4), "expected an order of 4 tokens, found 3 in table 't'");
}

Result<TableOrder> read(const std::string &text) {
  return readTable(std::make_shared<SourceText>(SourceText{.name = "order.txt", .text = text}));
}

TEST(Order, TablesAreRead) {
  Result<TableOrder> table = read("2 0\n1\n\t3  ");
  ASSERT_TRUE(table);
  EXPECT_EQ(*table->positions, (std::vector<int32_t>{2, 0, 1, 3}));
  EXPECT_EQ(read("0 1\n2 1\n").error().render(),
            "order.txt:2:3: error: expected each position of 0 .. 3 once, found 1 at places 1 and "
            "3\n  2 1\n    ^\n");
  EXPECT_EQ(read("0 12\n").error().render(),
            "order.txt:1:3: error: expected a permutation of 0 .. 1, found 12\n  0 12\n    ^~\n");
  EXPECT_EQ(read("0 1,\n").error().message, "expected a position, found '1,'");
  EXPECT_EQ(read("99999999999").error().message, "expected a position, found '99999999999'");
  EXPECT_EQ(read(" \n").error().message, "expected the positions of the order, found none");
}

} // namespace
} // namespace sparsec::test
