// A predicate as integer arithmetic on the positions of a tile: the reading that runs in a kernel.
//
// Every value has the lowest rank it can: scalar, one per query, one per key, one per pair. It has
// 32 bits when its bounds fit in 32, signed or unsigned; else 64. Both follow from the expression,
// so a value is emitted once and raised or widened where it meets another.
#pragma once

#include "dialect/predicate/Separate.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace sparsec {

/// What a predicate is emitted over: i32 scalars and vectors of i32.
struct PredicateInputs {
  mlir::Value head, queries, keys, n, nq;
  bool keysFirst = false; ///< rows of the result are keys, columns queries
};

/// A tensor of i1: the predicate where the key exists (k < n), else false.
mlir::Value emitPredicate(mlir::ImplicitLocOpBuilder &builder, const Expr &predicate,
                          const PredicateInputs &inputs);

} // namespace sparsec
