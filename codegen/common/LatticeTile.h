// The rows of one tile in a token order that is a lattice, at run time, from the order's numbers
// (layout/OrderNumbers.h: with a worked tile).
#pragma once

#include "codegen/common/ScalarBuilder.h"
#include "layout/OrderNumbers.h"

#include <algorithm>
#include <array>

namespace sparsec {

template <ScalarBuilder Builder>
class LatticeTile {
public:
  using Scalar = typename Builder::Scalar;

  /// `rows`: of a tile.
  LatticeTile(Builder &emit, OrderShape shape, Scalar numbers, Scalar tile, int64_t rows)
      : emit(emit), shape(shape), lattice(numbers) {
    using namespace order_numbers;
    constexpr int64_t kBytes = 4 * kLattice;
    table = emit.advance(numbers, kBytes);
    if (shape == OrderShape::Tails) { // the tile is one of the first lattice's or of the second's
      Scalar second = emit.atLeast(tile, emit.number(numbers, kLattice + kFirstTile));
      auto ifSecond = [&](int64_t bytes) {
        return emit.select(second, emit.i64(bytes), emit.i64(0));
      };
      lattice = emit.advance(numbers, ifSecond(kBytes));
      table = emit.advance(emit.advance(numbers, 2 * kBytes), ifSecond(8 * rows));
      tile = emit.subtract(tile, number(kFirstTile));
    }
    takeApart(tile);
  }

  Scalar first = {};  ///< position of the first row
  Scalar counts = {}; ///< coordinates of each axis less one, a byte each, that of axis 2 the lowest
  Scalar table = {};  ///< of the rows' pairs: position from the first one on, digits
  Scalar some = {};   ///< whether the tile has any row

private:
  Builder &emit;
  OrderShape shape;
  Scalar lattice;

  /// Numbers of one of two lattices depend on the tile: they are read for each.
  bool areFixed() const { return shape != OrderShape::Tails; }
  Scalar number(int index) { return emit.number(lattice, index, areFixed()); }

  void takeApart(Scalar tile) {
    using namespace order_numbers;
    std::array<Scalar, 3> from = {}, inBox = {}; // not set: 0
    std::span<const Digit> digits = digitsOf(shape);
    Scalar rest = tile;
    for (size_t i = digits.size(); i-- > 0;) {
      auto [at, part] = digits[i];
      Scalar digit = rest;
      if (i > 0)
        std::tie(rest, digit) =
            emit.divideBy(rest, lattice, axis(at) + (part ? kParts : kBoxes), areFixed());
      Scalar step = emit.multiply(digit, number(axis(at) + (part ? kCut : kBox)));
      if (part)
        inBox[at] = step;
      from[at] = from[at] ? emit.add(from[at], step) : step;
    }
    first = number(kBase);
    counts = emit.i32(0);
    Scalar fewest = {};
    for (int at = 0; at < 3; ++at) {
      if (!from[at])
        continue;
      first = emit.add(first, emit.multiply(from[at], number(axis(at) + kPitch)));
      Scalar count = countOf(at, from[at], inBox[at]);
      fewest = fewest ? emit.least(fewest, count) : count;
      counts = emit.add(counts, emit.shiftLeft(emit.add(count, -1), 8 * (2 - at)));
    }
    some = emit.greater(fewest, 0);
  }

  /// Coordinates of an axis from `from` on: of the cut, of what is left of the axis and of the box.
  Scalar countOf(int at, Scalar from, Scalar inBox) {
    using namespace order_numbers;
    Scalar cut = number(axis(at) + kCut);
    Scalar count = emit.least(cut, emit.subtract(number(axis(at) + kExtent), from));
    bool boxesAndParts =
        std::ranges::count_if(digitsOf(shape), [&](Digit digit) { return digit.axis == at; }) == 2;
    if (boxesAndParts)
      count = emit.least(count, emit.subtract(number(axis(at) + kBox), inBox));
    return count;
  }
};

/// One row of such a tile.
template <ScalarBuilder Builder>
struct LatticeRow {
  typename Builder::Scalar position = {}; ///< any number where there is none
  typename Builder::Scalar inside = {};   ///< whether each digit is below its count
};

/// `step` and `digits`: the row's pair in the table.
template <ScalarBuilder Builder>
LatticeRow<Builder> latticeRow(Builder &emit, typename Builder::Scalar first,
                               typename Builder::Scalar counts, typename Builder::Scalar step,
                               typename Builder::Scalar digits) {
  // Three digits at once: the upper bit of each byte stays where the digit is at most its count
  // less one.
  constexpr int64_t kUpper = 0x808080;
  auto position = emit.add(first, step);
  auto left = emit.bitAnd(emit.subtract(emit.bitOr(counts, kUpper), digits), kUpper);
  return {position, emit.equal(left, kUpper)};
}

} // namespace sparsec
