// Pairs that attend, where the predicate depends on numbers that change seldom.
//
//   k <= q and segment(q) == segment(k)      of queries   segment: 3 runs
//                                            of keys      segment: 3 runs
//   a a a b b c c c                          of q - k     below 0, or not: 2 runs
//
//   3 x 3 rectangles, in each 2 bands of diagonals: 18 questions for any length
//
// Within a run of each, the predicate is one truth; the pairs of a rectangle between two diagonals
// are counted by a formula.
#pragma once

#include "layout/BlockLayout.h"
#include "patterns/Classify.h"

namespace sparsec {

/// Nothing when there are too many runs for this to be the shorter way, or more work than `most`.
/// The predicate is as specialise() leaves it; ranges have step 1.
std::optional<int64_t> countSteps(const Expr &predicate, const Rectangle &rectangle, int threads,
                                  int64_t most, Work &work);

/// Pairs of a rectangle with first <= q - k <= last.
int64_t pairsBetween(const Rectangle &rectangle, int64_t first, int64_t last);

} // namespace sparsec
