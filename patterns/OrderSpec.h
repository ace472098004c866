// How the tokens of one axis are to be ordered, as a value that holds for any length.
//
//   natural               as they come
//   {residue: 4}          positions of one remainder modulo 4 together       0 4 8 ..  1 5 9 .. ...
//   {tails: [4, 1]}       the last 1 of every 4 first, then the rest         3 7 11 .. 0 1 2  4 5 6
//   {grid: [6, 6], tile: [2, 3]}     a picture 6 wide, by boxes of 2 x 3     0 1 2 6 7 8  3 4 5 ..
//   {table: FILE}         as the file lists them
//
// What tiles become of it at a length is layout/Order.h. An order never changes what is computed.
// Refused: sizes below 1; tails wider than their period; grids of other than 2 or 3 sizes, or whose
// tile is no box inside the grid; a table that is not a permutation of 0 .. its length - 1.
#pragma once

#include "patterns/Error.h"

#include <cstdint>
#include <variant>

namespace sparsec {

struct NaturalOrder {
  bool operator==(const NaturalOrder &) const = default;
};
struct ResidueOrder {
  int64_t period = 1;
  bool operator==(const ResidueOrder &) const = default;
};
struct TailsOrder {
  int64_t period = 1, width = 1; ///< the last `width` of every `period`
  bool operator==(const TailsOrder &) const = default;
};
/// Positions are row-major; the first size is open: tokens past it go on in further rows.
struct GridOrder {
  std::vector<int64_t> sizes, tile; ///< outermost first, 2 or 3
  bool operator==(const GridOrder &) const = default;
};
struct TableOrder {
  std::string name;                                      ///< of the file, as the pattern says it
  std::shared_ptr<const std::vector<int32_t>> positions; ///< by place; a permutation
  bool operator==(const TableOrder &other) const;
};

using OrderSpec = std::variant<NaturalOrder, ResidueOrder, TailsOrder, GridOrder, TableOrder>;

/// Why this is no order, at `where` when that is known.
Result<void> check(const OrderSpec &spec, std::optional<SourceRange> where = {});

/// "natural", "residue 128", "tails 128, 32", "grid 64 x 64 by 8 x 8", "table F"
std::string print(const OrderSpec &spec);

/// The positions in a text, separated by blanks or lines. Each error points at the number.
Result<TableOrder> readTable(std::shared_ptr<const SourceText> text);

} // namespace sparsec
