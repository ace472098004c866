// The truth of a predicate over a rectangle of queries and keys, by intervals with stride.
//
// Sound by construction: Empty and Full are proofs. Exactness is not promised: Mixed means "not
// decided here", and the layout splits the rectangle until evaluation decides.
#pragma once

#include "patterns/Evaluate.h"

namespace sparsec {

/// first, first + step, ..., count values in all (count >= 1; step >= 1 unless count is 1).
struct Range {
  int64_t first = 0;
  int64_t step = 1;
  int64_t count = 1;
  int64_t last() const { return first + step * (count - 1); }
};

struct Rectangle {
  Range q; ///< positions, so q0 is already in
  Range k;
};

enum class Coverage : uint8_t {
  Empty, ///< false at every point
  Full,  ///< true at every point
  Mixed, ///< undecided
};

Coverage classify(const Expr &predicate, const Rectangle &rectangle, int64_t h, const Sizes &sizes);

/// Bounds of an integer expression for every 0 <= h < 2^20, 0 <= q, k, nq, n < 2^31 and q0 = nk -
/// nq; nothing when they may leave 64 bits. `-2^31 < q` when q0 is negative.
struct Bounds {
  int64_t low = 0, high = 0;
};
std::optional<Bounds> bounds(const Expr &integerExpr);

} // namespace sparsec
