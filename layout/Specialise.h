// A predicate under what is known of its operands: shorter, and equal on the rectangle.
//
//   causal or k < 64,  h = 2,  rows 512..767 x keys 256..511:   k < 64 is false there   ->  True
//                              rows 512..767 x keys 512..767:   causal is undecided      ->  causal
//
// Parts that mention neither q nor k become integers (n, nq and h have values here); comparisons
// that classify() decides become True or False; connectives fold.
#pragma once

#include "patterns/Classify.h"

namespace sparsec {

Expr specialise(const Expr &predicate, const Rectangle &rectangle, int64_t h, const Sizes &sizes);

/// The two parts of a range of at least two values, cut where the value is a multiple of the
/// largest power of two, so that grids of such sizes stay whole.
std::pair<Range, Range> halves(const Range &range);
/// The same along the longer axis; few keys are not cut further, since evaluation takes many at a
/// time.
std::pair<Rectangle, Rectangle> halves(const Rectangle &rectangle);

/// All positions of some progressions (at least one) and what lies between them.
Range hull(const std::vector<Range> &ranges);

inline int64_t area(const Rectangle &rectangle) {
  return rectangle.q.count * rectangle.k.count;
}

} // namespace sparsec
