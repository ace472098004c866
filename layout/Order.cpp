#include "layout/Order.h"

#include <algorithm>

namespace sparsec {

Order Order::natural(int64_t n, int tile) {
  assert(n >= 0 && tile >= 1);
  Order order;
  order.n = n;
  order.tileSize = tile;
  return order;
}

int64_t Order::tileCount() const {
  return (n + tileSize - 1) / tileSize;
}

std::vector<Range> Order::rows(int64_t first, int64_t last) const {
  assert(0 <= first && first < last && last <= tileCount());
  int64_t begin = first * tileSize;
  int64_t end = std::min(last * tileSize, n);
  return {{.first = begin, .step = 1, .count = end - begin}};
}

std::vector<int64_t> Order::shortTiles() const {
  if (n % tileSize == 0)
    return {};
  return {tileCount() - 1};
}

} // namespace sparsec
