// Where block rows repeat: the same blocks again, some rows down and some columns to the right.
//
//   causal and (k < 4 or same(8)), blocks of 4         P . . . . . . .
//                                                      F P . . . . . .
//   from column 1 on, row i is row i - 2               F . P . . . . .      rows 2, columns 2,
//   moved by 2 columns: what is left to                F . F P . . . .      firstColumn 1
//   look at are columns 0 .. 2                         F . . . P . . .
//                                                      F . . . F P . .
//
// Found from the period of what is left of the predicate once the first rows and columns are left
// out, where patterns have their exceptions: global tokens, a prefix. In other orders a row of
// blocks moves by whole chains or boxes: strided attention by residue repeats its first triangle.
#pragma once

#include "layout/BlockLayout.h"

namespace sparsec {

/// Block (i, j) equals block (i - rows, j - columns) when i - rows >= firstRow, j - columns >=
/// firstColumn and neither i nor j is among the tiles that are unlike the one so many before.
struct Repeat {
  int64_t rows = 0, columns = 0;
  int64_t firstRow = 0, firstColumn = 0;
  std::vector<int64_t> unlikeRows, unlikeColumns; ///< ascending
};

/// A repeat among block rows firstRow .. that is worth using: what it leaves to be looked at is at
/// most half of the rows or columns.
std::optional<Repeat> findRepeat(const Expr &attend, const LayoutRequest &request,
                                 const Order &queries, const Order &keys, int64_t firstRow);

} // namespace sparsec
