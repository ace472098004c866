// What can be proved of a softmax's exponents before any number is known.
#pragma once

#include "codegen/cpu/plan/Dataflow.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

namespace sparsec::cpu {

/// The difference a - b that is raised, if no a is above its b; null otherwise. So are a score less
/// its row's maximum, and the maximum before less the one now: the exponents of an online softmax.
mlir::arith::SubFOp decayOf(const Dataflow &flow, mlir::math::Exp2Op power);

/// Whether an element is 0 wherever the mask leaves -inf: 2^(masked - x), and what is converted
/// from it.
bool isZeroWhereMasked(const Dataflow &flow, mlir::Value value, tile::MaskOp mask);

} // namespace sparsec::cpu
