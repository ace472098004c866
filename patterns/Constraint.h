// "This sum is in this set": what a comparison says, in a form that conjunctions can intersect.
//
//   2 * k <= 2 * q + 3     ->   q - k  in  [-1, ...)      and back:  q - k >= -1
//
// Everything is reckoned in 128 bits: nothing here can overflow.
#pragma once

#include "patterns/Linear.h"

namespace sparsec {

/// Disjoint, not touching, ascending.
using Intervals = std::vector<WideBounds>;

Intervals unite(Intervals a, const Intervals &b);
Intervals complement(const Intervals &a, const WideBounds &domain);

/// `sum` is in `values`, a subset of its `domain`.
struct Constraint {
  Linear sum;
  WideBounds domain;
  Intervals values;
};

/// What `difference op 0` says, the difference having terms: divided by their common factor, the
/// first of them positive.
Constraint constraintOf(const Linear &difference, Op op);

/// The values of a sum of this domain that make `sum op number` true, for a comparison op.
Intervals valuesOf(Op op, Wide number, const WideBounds &domain);

/// The constraint as a predicate, canonical.
Expr tell(const Constraint &constraint);

/// A conjunction or disjunction without order or repetition: sorted, each operand once.
Expr sortedChain(Op op, const std::vector<Expr> &exprs);
/// The operands below a chain of one operator.
void collect(const Expr &expr, Op op, std::vector<Expr> &operands);

} // namespace sparsec
