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

/// No value below reaches 2^59 wherever a pattern has a meaning: intervals are reckoned in 64 bits.
bool isNarrow(const Expr &predicate);

Coverage classify(const Expr &predicate, const Rectangle &rectangle, int64_t h, const Sizes &sizes);

/// A predicate made ready for many rectangles of one head. Safe to use from several threads.
class Classifier {
public:
  Classifier(const Expr &predicate, int64_t h, const Sizes &sizes);

  Coverage operator()(const Rectangle &rectangle) const;
  int64_t size() const { return static_cast<int64_t>(steps.size()); } ///< operators and leaves

private:
  Expr predicate;
  struct Step {
    Op op;
    int64_t value = 0;
    const IntegerList *list = nullptr; ///< of a Segment; `predicate` keeps it
  };
  int compile(const Expr &expr, int64_t h, const Sizes &sizes); ///< the stack it needs
  template <class Int>
  Coverage over(const Rectangle &rectangle) const;

  std::vector<Step> steps; ///< postfix
  int stackNeeded = 1;
  bool wide = false; ///< values come near 64 bits: reckon in 128
};

/// Low <= value <= high.
struct Bounds {
  int64_t low = 0, high = 0;
  bool operator==(const Bounds &) const = default;
};
/// Bounds of an integer expression wherever a pattern has a meaning: 0 <= h < 2^20, -2^31 < q <
/// 2^31 (q0 may be negative), 0 <= k < 2^31, 1 <= nq, n < 2^31. Nothing when it, or a value on the
/// way to it, may leave 64 bits, or a divisor may be zero.
std::optional<Bounds> bounds(const Expr &integerExpr);

/// The same for one operator on operands of known bounds (of a predicate they do not count).
/// `literal` is the value of an Integer, `list` that of a Segment.
struct BoundsOutcome {
  enum Kind : uint8_t { Bounded, LeavesSixtyFourBits, MayDivideByZero } kind = Bounded;
  Bounds bounds;
};
BoundsOutcome boundsOf(Op op, int64_t literal, const IntegerList *list, const Bounds *operands,
                       size_t count);

} // namespace sparsec
