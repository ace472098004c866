// Token orders as tile programs name them and as layout/ does: the same list.
#pragma once

#include "dialect/Tile.h"
#include "layout/OrderNumbers.h"

namespace sparsec {

constexpr tile::OrderKind kindOf(OrderShape shape) {
  return static_cast<tile::OrderKind>(shape);
}
constexpr OrderShape shapeOf(tile::OrderKind kind) {
  return static_cast<OrderShape>(kind);
}

static_assert(kindOf(OrderShape::Natural) == tile::OrderKind::Natural &&
              kindOf(OrderShape::Residue) == tile::OrderKind::Residue &&
              kindOf(OrderShape::Tails) == tile::OrderKind::Tails &&
              kindOf(OrderShape::Grid2) == tile::OrderKind::Grid2 &&
              kindOf(OrderShape::Grid3) == tile::OrderKind::Grid3 &&
              kindOf(OrderShape::Table) == tile::OrderKind::Table);

} // namespace sparsec
