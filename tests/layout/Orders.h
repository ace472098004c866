// The orders that tests run through, by text: every kind, even and ragged, in small numbers.
#pragma once

#include "layout/Order.h"

#include <gtest/gtest.h>
#include <random>

namespace sparsec::test {

/// A table of n positions in no order.
inline TableOrder shuffled(int64_t n, unsigned seed) {
  auto positions = std::make_shared<std::vector<int32_t>>(n);
  for (int64_t i = 0; i < n; ++i)
    (*positions)[i] = static_cast<int32_t>(i);
  std::mt19937 random(seed);
  for (int64_t i = n - 1; i > 0; --i)
    std::swap((*positions)[i], (*positions)[random() % (i + 1)]);
  return {.name = "shuffled", .positions = positions};
}

/// All of one axis of n tokens; grids and periods chosen so that some divide small n and some do
/// not.
inline std::vector<OrderSpec> someOrders(int64_t n) {
  std::vector<OrderSpec> specs = {
      NaturalOrder{},
      ResidueOrder{1},
      ResidueOrder{2},
      ResidueOrder{3},
      ResidueOrder{5},
      ResidueOrder{100},
      TailsOrder{4, 1},
      TailsOrder{4, 4},
      TailsOrder{5, 2},
      TailsOrder{9, 7},
      GridOrder{{4, 4}, {2, 2}},
      GridOrder{{3, 5}, {2, 3}},
      GridOrder{{9, 7}, {4, 4}},
      GridOrder{{2, 3, 4}, {2, 2, 2}},
      GridOrder{{3, 3, 5}, {2, 3, 3}},
  };
  if (n > 0)
    specs.push_back(shuffled(n, 7));
  return specs;
}

inline Order make(const OrderSpec &spec, int64_t n, int tile) {
  Result<Order> order = Order::make(spec, n, tile);
  EXPECT_TRUE(order) << order.error().message;
  return *order;
}

} // namespace sparsec::test
