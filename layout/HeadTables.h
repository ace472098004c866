// The tables of all model heads that use one entry of a pattern, one after another: what a kernel
// launched over those heads reads.
//
//   3 heads of 2 rows, layout rows    0 1 | 2 3 | 4 5      row i of head y is y * rowsPerHead + i
//   offsets, 2 a row and one more     head 1's go on where head 0's end: one array, one base
//   rowOrder                          i of each head, longest first, from y * rowsPerHead
//
// A predicate that does not mention h needs one table: rowsPerHead is 0 and every y reads the same.
#pragma once

#include "layout/BlockLayout.h"

namespace sparsec {

/// The model's heads first, first + step, ..., count in all.
struct Heads {
  int64_t first = 0;
  int64_t step = 1;
  int64_t count = 1;
};

struct HeadTables {
  BlockTables tables;      ///< rowOrder holds rows within their head: 0 .. rows - 1
  int64_t rowsPerHead = 0; ///< AttentionArguments::layoutStride
  BlockCounts counts;      ///< of all heads, shared tables counted for each
};

/// request.h is not used. Error when a head's layout or the tables of all do not fit.
Result<HeadTables> tablesOfHeads(const Expr &attend, const LayoutRequest &request,
                                 const Heads &heads);

} // namespace sparsec
