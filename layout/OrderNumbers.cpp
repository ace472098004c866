#include "layout/OrderNumbers.h"

#include <algorithm>

namespace sparsec {

using namespace order_numbers;

OrderShape shapeOf(const OrderSpec &spec) {
  struct Shape {
    OrderShape operator()(const NaturalOrder &) const { return OrderShape::Natural; }
    OrderShape operator()(const ResidueOrder &) const { return OrderShape::Residue; }
    OrderShape operator()(const TailsOrder &) const { return OrderShape::Tails; }
    OrderShape operator()(const GridOrder &grid) const {
      return grid.sizes.size() == 2 ? OrderShape::Grid2 : OrderShape::Grid3;
    }
    OrderShape operator()(const TableOrder &) const { return OrderShape::Table; }
  };
  return std::visit(Shape{}, spec);
}

std::string_view name(OrderShape shape) {
  constexpr std::string_view names[] = {"natural", "residue", "tails", "grid2", "grid3", "table"};
  return names[static_cast<int>(shape)];
}

namespace {

void put(int32_t *at, const Divisor &divisor) {
  at[0] = divisor.value;
  at[1] = static_cast<int32_t>(divisor.magic);
  at[2] = divisor.shift;
}

Divisor divisorAt(const int32_t *at) {
  Divisor divisor;
  divisor.value = at[0];
  divisor.magic = static_cast<uint32_t>(at[1]);
  divisor.shift = at[2];
  return divisor;
}

void putLattice(const Lattice &lattice, int32_t *at) {
  at[kFirstTile] = static_cast<int32_t>(lattice.firstTile);
  at[kBase] = static_cast<int32_t>(lattice.base);
  for (int i = 0; i < 3; ++i) {
    const Lattice::Axis &from = lattice.axes[i];
    int32_t *to = at + axis(i);
    to[kPitch] = static_cast<int32_t>(from.pitch);
    to[kExtent] = static_cast<int32_t>(from.extent);
    to[kBox] = static_cast<int32_t>(from.box);
    to[kCut] = static_cast<int32_t>(from.cut);
    put(to + kBoxes, Divisor(std::max<int64_t>(from.boxes(), 1)));
    put(to + kParts, Divisor(std::max<int64_t>(from.parts(), 1)));
  }
}

/// (position, digits) of each row of a tile.
void putRows(const Lattice &lattice, int tile, int32_t *at) {
  int64_t inner = lattice.axes[2].cut, middle = lattice.axes[1].cut;
  int64_t all = inner * middle * lattice.axes[0].cut;
  for (int64_t row = 0; row < tile; ++row) {
    int64_t digits[3] = {row / (inner * middle), row / inner % middle, row % inner};
    int64_t position = 0, packed = 0;
    for (int i = 0; i < 3; ++i) {
      position += digits[i] * lattice.axes[i].pitch;
      packed = packed << 8 | digits[i];
    }
    at[2 * row] = row < all ? static_cast<int32_t>(position) : 0;
    at[2 * row + 1] = row < all ? static_cast<int32_t>(packed) : kNoDigits;
  }
}

std::vector<int32_t> tableNumbers(const Order &order) {
  std::vector<int32_t> numbers(order.tileCount() * order.tile(), kNoPosition);
  for (int64_t tile = 0; tile < order.tileCount(); ++tile) {
    std::vector<int64_t> positions = order.positions(tile);
    std::copy(positions.begin(), positions.end(), numbers.begin() + tile * order.tile());
  }
  return numbers;
}

} // namespace

std::span<const Digit> order_numbers::digitsOf(OrderShape shape) {
  static constexpr Digit residue[] = {{2, false}, {1, true}};
  static constexpr Digit tails[] = {{1, false}, {2, true}};
  static constexpr Digit grid2[] = {{1, false}, {2, false}, {1, true}, {2, true}};
  static constexpr Digit grid3[] = {{0, false}, {1, false}, {2, false},
                                    {0, true},  {1, true},  {2, true}};
  switch (shape) {
  case OrderShape::Residue:
    return residue;
  case OrderShape::Tails:
    return tails;
  case OrderShape::Grid2:
    return grid2;
  case OrderShape::Grid3:
    return grid3;
  case OrderShape::Natural:
  case OrderShape::Table:
    break;
  }
  return {};
}

std::vector<int32_t> orderNumbers(const Order &order) {
  OrderShape shape = shapeOf(order.spec());
  if (shape == OrderShape::Natural)
    return {};
  if (shape == OrderShape::Table)
    return tableNumbers(order);
  int lattices = order_numbers::lattices(shape);
  std::vector<int32_t> numbers(lattices * (kLattice + 2 * order.tile()));
  for (int i = 0; i < lattices; ++i) {
    bool exists = i < static_cast<int>(order.lattices().size());
    Lattice lattice = exists ? order.lattices()[i] : Lattice{.firstTile = kNoPosition};
    putLattice(lattice, numbers.data() + i * kLattice);
    putRows(lattice, order.tile(), numbers.data() + lattices * kLattice + 2 * i * order.tile());
  }
  return numbers;
}

std::vector<int32_t> positionsFromNumbers(OrderShape shape, const std::vector<int32_t> &numbers,
                                          int32_t n, int tile, int32_t index) {
  std::vector<int32_t> positions(tile, kNoPosition);
  if (shape == OrderShape::Natural || shape == OrderShape::Table) {
    for (int32_t row = 0; row < tile; ++row) {
      int32_t place = index * tile + row;
      positions[row] = shape == OrderShape::Table ? numbers[place]
                       : place < n                ? place
                                                  : kNoPosition;
    }
    return positions;
  }
  int lattices = order_numbers::lattices(shape);
  int which = lattices == 2 && index >= numbers[kLattice + kFirstTile] ? 1 : 0;
  const int32_t *lattice = numbers.data() + which * kLattice;
  const int32_t *rows = numbers.data() + lattices * kLattice + 2 * which * tile;
  int32_t rest = index - lattice[kFirstTile], first = lattice[kBase];
  int32_t from[3] = {}, count[3] = {};
  for (int divisor : {kParts, kBoxes})
    for (int i = 2; i >= 0; --i) {
      Divisor radix = divisorAt(lattice + axis(i) + divisor);
      int32_t quotient = radix.divide(rest), digit = rest - quotient * radix.value;
      rest = quotient;
      int32_t step = lattice[axis(i) + (divisor == kParts ? kCut : kBox)];
      if (divisor == kParts)
        count[i] = lattice[axis(i) + kBox] - digit * step;
      from[i] += digit * step;
    }
  for (int i = 0; i < 3; ++i) {
    count[i] = std::min({count[i], lattice[axis(i) + kCut], lattice[axis(i) + kExtent] - from[i]});
    first += from[i] * lattice[axis(i) + kPitch];
  }
  for (int row = 0; row < tile; ++row) {
    int32_t digits = rows[2 * row + 1];
    bool exists = (digits >> 16) < count[0] && (digits >> 8 & 255) < count[1] &&
                  (digits & 255) < count[2] && digits != kNoDigits;
    uint32_t position = static_cast<uint32_t>(first) + static_cast<uint32_t>(rows[2 * row]);
    if (exists && position < static_cast<uint32_t>(n))
      positions[row] = static_cast<int32_t>(position);
  }
  return positions;
}

} // namespace sparsec
