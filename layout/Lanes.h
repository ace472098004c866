// An expression over many cells at once: a lane is a cell, a value an interval over its pairs, a
// truth what is known of them.
//
//   k <= q and near, cells of 4 x 4 in one row (q in 8..11)
//
//   k          [0, 3]    [4, 7]    [8, 11]        keys: a lane each
//   q          [8, 11]   [8, 11]   [8, 11]        one value for all lanes
//   k <= q     true      true      undecided
//
// Lanes whose intervals are single values are reckoned as values, which is most of what a predicate
// of block numbers asks. Sound as classify() is, but without strides: what is undecided here is
// asked again by others. Of expressions that isNarrow() alone; n and h are numbers in them.
#pragma once

#include "patterns/Classify.h"

#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace sparsec {

/// What is known of a predicate over a cell, in bits. Some implies may; neither "may" is never.
using Truths = uint8_t;
namespace truths {
inline constexpr Truths kMayBeTrue = 1, kMayBeFalse = 2; ///< no proof of the contrary
inline constexpr Truths kSomeTrue = 4, kSomeFalse = 8;   ///< at least one pair is so
inline constexpr Truths kTrue = kMayBeTrue | kSomeTrue, kFalse = kMayBeFalse | kSomeFalse;
inline constexpr Truths kUnknown = kMayBeTrue | kMayBeFalse, kBoth = kTrue | kFalse;
} // namespace truths

/// Numbers or truths of cells, one for each or one for all.
struct Cells {
  const int64_t *low = nullptr, *high = nullptr;
  const Truths *truths = nullptr;
  bool one = false;    ///< of all lanes
  bool points = false; ///< low is high in each lane
};

class LaneProgram {
public:
  static constexpr int kLanes = 64; ///< at once

  /// Part of an expression whose values are given: a source's number, or nothing to go on below.
  using SourceOf = std::function<std::optional<int>(const Expr &)>;

  /// Leaves q and k must be sources.
  LaneProgram(const Expr &expr, const SourceOf &sourceOf);

  /// Of a predicate: its truths in `count` <= kLanes lanes.
  void run(std::span<const Cells> sources, int count, Truths *result) const;
  /// Of an integer expression; true when each lane is one value (then low alone is written).
  bool run(std::span<const Cells> sources, int count, int64_t *low, int64_t *high) const;

  int64_t size() const { return static_cast<int64_t>(steps.size()); }

private:
  struct Step {
    Op op;
    int source;    ///< -1: an operator or a number
    int64_t value; ///< a number; of And and Or: whether no axis is below both sides
    ListRef list;  ///< of a Segment
  };
  struct Stack;
  int compile(const Expr &expr, const SourceOf &sourceOf); ///< the stack it needs
  void runAll(std::span<const Cells> sources, int count, Stack &stack) const;

  std::vector<Step> steps; ///< postfix
  int stackNeeded = 1;
};

} // namespace sparsec
