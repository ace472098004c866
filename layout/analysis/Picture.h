// What a pattern looks like: a character for each pair, or for each square of pairs when the
// pattern is wider than the picture.
//
//   causal and local(3), n = 8      # . . . . . . .      n = 64 in 8 columns     + . . . . . . .
//                                   # # . . . . . .                              + + . . . . . .
//   # all attend                    # # # . . . . .                              . + + . . . . .
//   + some                          . # # # . . . .                              . . + + . . . .
//   . none                          . . # # # . . .                              . . . + + . . .
//                                   ...                                          ...
//
// Exact: '+' is never drawn for a square that attends wholly or not at all.
#pragma once

#include "layout/BlockLayout.h"

namespace sparsec {

struct Picture {
  std::string text;  ///< lines of at most 2 * columns - 1 characters
  int64_t scale = 1; ///< a character is scale x scale pairs
};

/// request.blockQ and blockK are not used: the scale follows from `columns` >= 1, the most
/// characters that a row may have.
Result<Picture> draw(const Expr &attend, const LayoutRequest &request, int64_t columns);

} // namespace sparsec
