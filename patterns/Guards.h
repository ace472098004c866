// What is known to hold where an expression is evaluated: the left sides of `and`, the failed left
// sides of `or`, the condition of `if`.
//
//   causal and 5 // (q - k + 1) > 2        guard k <= q:  q - k is at least 0,  q - k + 1 at least 1
//
// Internal to patterns/: Resolve asks only where bounds alone do not do.
#pragma once

#include "patterns/Linear.h"

namespace sparsec {

class Guards {
public:
  void push(Expr predicate, bool holds) { all.push_back({std::move(predicate), holds}); }
  void pop() { all.pop_back(); }
  bool empty() const { return all.empty(); }

  /// Bounds of an integer expression where all guards hold: within `known`.
  Bounds narrowed(const Expr &expr, const Bounds &known) const;

  /// low <= sum <= high, the sum without a constant.
  struct Fact {
    Linear sum;
    WideBounds range;
  };

private:
  struct Guard {
    Expr predicate;
    bool holds;
  };
  std::vector<Guard> all;
};

} // namespace sparsec
