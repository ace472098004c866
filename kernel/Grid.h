// How many work items a kernel has, and which is which.
//
//   work rows of queries, 64 a tile        x: a row of blocks of the layout, longest first
//                                          y: a head of the entry    z: batch
//   work range of tiles                    x: 0 .. tiles - 1, in this order; y, z: not used
//
// Without an order of its own (the field `order` null) a kernel over rows begins at that end where
// rows are longest: causal queries at the last row.
#pragma once

#include "patterns/Error.h"

#include <cstdint>
#include <string>

namespace sparsec {

struct Grid {
  enum class Work : uint8_t { Rows, Blocks, Range };
  enum class Axis : uint8_t { Queries, Keys }; ///< of the rows of the layout
  enum class Longest : uint8_t { Last, First };

  Work work = Work::Rows;
  Axis axis = Axis::Queries;
  int tile = 0;            ///< rows of the axis in an item, 0: an item has none
  int headsPerY = 1;       ///< model's heads of one y
  bool persistent = false; ///< items are taken from a queue by as many blocks as a GPU holds
  Longest longest = Longest::Last;
  std::string order; ///< Rows: the field that orders them ("row_order"); Range: that counts items
  bool operator==(const Grid &) const = default;
};

/// "rows of queries, tile 64, heads 1, longest last, order row_order"
std::string print(const Grid &grid);
Result<Grid> parseGrid(const std::string &text);

} // namespace sparsec
