// How many blocks of two axes are full and partial, by arithmetic: no row is listed, so that the
// work follows the structure of the predicate and not the number of blocks.
//
//   strided column, n = 2^31 - 1, l = 128, residue order, blocks of 64: 3.4e7 x 3.4e7 blocks
//     chains     128 x 128 of them, on one diagonal alike; those off it are empty
//     a chain    262,144 x 262,144 blocks, on one diagonal alike: partial on it, full below it
//
// As countElements() counts pairs (layout/CountElements.cpp), of which this is the same over
// blocks: rectangles of sections (layout/Section.h) that classify() decides count whole; what is
// left of the predicate repeats across, down or along a diagonal, and one period is counted and
// multiplied; else a rectangle is cut in two, down to single blocks.
//
// Where that takes too much, a row is estimated: of the rectangles that are open at each level at
// most a few are followed, evenly chosen, each for those that are not.
#pragma once

#include "layout/BlockLayout.h"
#include "layout/Reader.h"
#include "layout/Section.h"

namespace sparsec {

class BlockCounter {
public:
  /// The request is one that BlockLayout::build() accepts. The orders are kept by reference.
  BlockCounter(const Expr &attend, const LayoutRequest &request, const Order &queries,
               const Order &keys);

  /// Nothing when it takes more than `most` units, or an order is a table. What is done is counted
  /// either way.
  std::optional<BlockCounts> all(int64_t most, Work &work) const;
  std::optional<BlockCounts> row(int64_t row, int64_t most, Work &work) const;
  /// Of each row, where that is short, else estimates; side by side. No table.
  RowCounts rows(std::span<const int64_t> rows, int threads, Work *work) const;
  /// Of a row, from some of its blocks. No table.
  BlockCounts estimateRow(int64_t row, Work &work) const;
  bool ofTables() const { return !ofQueries || !ofKeys; }

private:
  Expr attend;
  int64_t h, q0;
  Sizes sizes;
  const Order &queries;
  std::optional<std::vector<Section>> ofQueries, ofKeys;
  int64_t keysOfBlock;
};

} // namespace sparsec
