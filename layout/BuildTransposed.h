// The layout of a predicate whose keys draw their queries, which is found along the keys.
//
//   draw(2, k // 64, q // 64, m, s)     a column of blocks at a time: its two live blocks are known
//                                       by their numbers; what a row sees, all columns would have
//                                       to be asked
//
// The exchanged predicate's layout is found row by row, and then listed by its columns. Blocks at
// the end of an axis differ: those of a short tile of queries may be full, those of a short tile of
// keys are not.
#pragma once

#include "layout/BlockLayout.h"

namespace sparsec {

class TransposedBuilder {
public:
  /// As BlockLayout::build() without orders would have it; the request is one that it accepts.
  static Result<BlockLayout> build(const Expr &attend, const LayoutRequest &request,
                                   const Order &queries, const Order &keys);
};

} // namespace sparsec
