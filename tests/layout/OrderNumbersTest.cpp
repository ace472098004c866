// The numbers that kernels read say the same as the order they come from.
#include "layout/OrderNumbers.h"
#include "tests/layout/Orders.h"

#include <random>

namespace sparsec::test {
namespace {

TEST(Divisor, DividesLikeDivision) {
  std::mt19937_64 random(3);
  constexpr int64_t kEnd = int64_t{1} << 31;
  std::vector<int64_t> divisors = {1, 2, 3, 5, 6, 7, 9, 10, 641, kEnd / 2, kEnd / 2 + 1, kEnd - 1};
  for (int i = 0; i < 2000; ++i)
    divisors.push_back(1 +
                       static_cast<int64_t>(random() % (uint64_t{1} << (1 + i % 31))) % (kEnd - 1));
  for (int64_t value : divisors) {
    Divisor divisor(value);
    std::vector<int64_t> dividends = {0, 1, kEnd - 1, kEnd - 2};
    for (int i = 0; i < 50; ++i) {
      int64_t multiple = static_cast<int64_t>(random() % kEnd) / value * value;
      for (int64_t near : {multiple - 1, multiple, multiple + 1})
        dividends.push_back(near);
    }
    for (int64_t x : dividends)
      if (0 <= x && x < kEnd) {
        ASSERT_EQ(divisor.divide(static_cast<int32_t>(x)), x / value) << x << " / " << value;
      }
  }
}

/// The positions of a tile by its numbers, without those that do not exist; sorted.
std::vector<int64_t> existing(const Order &order, const std::vector<int32_t> &numbers,
                              int64_t tile) {
  std::vector<int32_t> rows =
      positionsFromNumbers(shapeOf(order.spec()), numbers, static_cast<int32_t>(order.size()),
                           order.tile(), static_cast<int32_t>(tile));
  EXPECT_EQ(rows.size(), static_cast<size_t>(order.tile()));
  std::vector<int64_t> found;
  for (int32_t position : rows)
    if (position != kNoPosition)
      found.push_back(position);
  std::sort(found.begin(), found.end());
  return found;
}

TEST(OrderNumbers, GiveThePositionsOfEveryTile) {
  for (int64_t n : {0, 1, 2, 3, 5, 8, 13, 16, 31, 64, 100, 129})
    for (const OrderSpec &spec : someOrders(n))
      for (int tile : {1, 3, 4, 8, 16, 64, 128}) {
        SCOPED_TRACE(print(spec) + ", n " + std::to_string(n) + ", tile " + std::to_string(tile));
        Order order = make(spec, n, tile);
        std::vector<int32_t> numbers = orderNumbers(order);
        for (int64_t i = 0; i < order.tileCount(); ++i) {
          std::vector<int64_t> expected = order.positions(i);
          std::sort(expected.begin(), expected.end());
          ASSERT_EQ(existing(order, numbers, i), expected) << "tile " << i;
        }
      }
}

TEST(OrderNumbers, HoldForTheLongestAxes) {
  constexpr int64_t n = (int64_t{1} << 31) - 2;
  for (const OrderSpec &spec :
       {OrderSpec(ResidueOrder{1024}), OrderSpec(TailsOrder{128, 32}), OrderSpec(NaturalOrder{}),
        OrderSpec(GridOrder{{46340, 46340}, {8, 8}})}) {
    SCOPED_TRACE(print(spec));
    Order order = make(spec, n, 64);
    std::vector<int32_t> numbers = orderNumbers(order);
    for (int64_t i : {int64_t{0}, order.tileCount() / 3, order.tileCount() - 1}) {
      std::vector<int64_t> expected = order.positions(i);
      std::sort(expected.begin(), expected.end());
      EXPECT_EQ(existing(order, numbers, i), expected) << "tile " << i;
    }
  }
}

TEST(OrderNumbers, AreFewHoweverLongTheAxis) {
  Order order = make(ResidueOrder{1024}, int64_t{1} << 20, 64);
  EXPECT_LE(orderNumbers(order).size() * sizeof(int32_t), 700u);
}

} // namespace
} // namespace sparsec::test
