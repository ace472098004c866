// What a kernel reads of a token order, as a list of 32-bit integers for one length and tile size:
// from the number of a tile to the positions of its rows with a few additions, for any n, without
// a table of the tokens.
//
//   residue 4, n = 10, tiles of 8        lattice numbers | row 0: +0 (0 0) row 1: +1 (0 1)
//                                                        | row 2: +4 (1 0) row 3: +5 (1 1) ...
//   tile 1 = box 1, part 0               first position 2, counts 3 by 2
//   row 3 of it                          2 + 5 = 7; it exists: 1 < 3, 1 < 2 and 7 < 10
//
// A tile number is taken apart into boxes and parts as layout/Order.h says: that gives the first
// position and how many coordinates each axis has. A row has the same coordinates (digits) in every
// tile of a lattice, in radices of the axes' cuts, so their positions from the first one on are a
// table of as many entries as a tile has rows. A row exists when each digit is below its count and
// its position below n. (Order::positions lists those that exist; here they may have gaps between.)
#pragma once

#include "layout/Divisor.h"
#include "layout/Order.h"

#include <span>

namespace sparsec {

/// What a kernel knows of an order when it is compiled; all else are numbers at run time.
enum class OrderShape : uint8_t {
  Natural, ///< no numbers: tile i has rows i * tile ..
  Residue, ///< one lattice, boxes of axis 2 and parts of axis 1
  Tails,   ///< two lattices, boxes of axis 1 and parts of axis 2
  Grid2,   ///< one lattice, boxes and parts of axes 1 and 2
  Grid3,   ///< one lattice, boxes and parts of all axes
  Table,   ///< a position for each row of each tile; those past the end are kNoPosition
};
OrderShape shapeOf(const OrderSpec &spec);
std::string_view name(OrderShape shape); ///< "natural", "residue", ...

inline constexpr int32_t kNoPosition = INT32_MAX;

/// Where things are in the list, in 32-bit integers. A lattice takes kLattice of them; after one
/// lattice, or two of Tails, comes a pair (position, digits) for each row of a tile.
namespace order_numbers {
inline constexpr int kLattice = 32;
inline constexpr int kFirstTile = 0; ///< kNoPosition: no such lattice
inline constexpr int kBase = 1;
constexpr int axis(int i) {
  return 2 + 10 * i;
} ///< of kPitch, ...
inline constexpr int kPitch = 0, kExtent = 1, kBox = 2, kCut = 3;
inline constexpr int kBoxes = 4, kParts = 7; ///< divisors: value, magic, shift
constexpr int lattices(OrderShape shape) {
  return shape == OrderShape::Tails ? 2 : 1;
}
/// A tile's number is taken apart into digits: boxes, or parts of a box, of an axis.
struct Digit {
  int axis;
  bool part;
};
/// Those that may have more than one value, outermost first; none without lattices.
std::span<const Digit> digitsOf(OrderShape shape);
/// Digits of a row are a byte each, that of axis 2 the lowest; a row without coordinates has this
/// one.
inline constexpr int32_t kNoDigits = 0x80;
} // namespace order_numbers

/// Empty for natural order. Error: positions that leave 32 bits.
std::vector<int32_t> orderNumbers(const Order &order);

/// What a kernel computes from the numbers: the positions of a tile's rows, kNoPosition where there
/// is none. For tests, and for whoever writes a kernel by hand.
std::vector<int32_t> positionsFromNumbers(OrderShape shape, const std::vector<int32_t> &numbers,
                                          int32_t n, int tile, int32_t index);

} // namespace sparsec
