// After how many steps in a direction a predicate repeats.
//
//   causal and (same(4) or k % 4 == 3), along the diagonals: 4      # . . . . . . .
//                                                                   # # . . . . . .
//   the 4 x 4 block at (4, 4) equals the one at (0, 0),             # # # . . . . .
//   and (8, 4) would equal (4, 0): k <= q and same(4) move          # # # # . . . .
//   with q and k, k % 4 has period 4                                . . . # # . . .
//                                                                   . . . # # # . .
//   across and down it never does: of same(4) and causal            . . . # # # # .
//   only one side would move                                        . . . # # # # #
//
// Each integer part either moves at a steady rate (q, k, q // 4: by 1 every 4 steps) or repeats
// (k % 4); a comparison repeats when its two sides move at one rate. Sound, not complete.
#pragma once

#include "patterns/Expr.h"

namespace sparsec {

/// What one step adds to q and to k.
struct Direction {
  int64_t q = 0, k = 0;
};
inline constexpr Direction kDiagonal = {1, 1};
inline constexpr Direction kDown = {1, 0};
inline constexpr Direction kAcross = {0, 1};

/// A period s >= 1: predicate(q + s * direction.q, k + s * direction.k) equals predicate(q, k) for
/// all q and k. Nothing when none below 2^31 is found.
std::optional<int64_t> period(const Expr &predicate, Direction direction);

} // namespace sparsec
