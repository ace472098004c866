// What can be proved of the numbers in a tile before any is known.
#pragma once

#include "codegen/cpu/Dataflow.h"

namespace sparsec::cpu {

/// Whether no element is above 0; NaN is not. True of a score less its row's maximum, and of the
/// maximum before less the one now: the exponents of an online softmax.
bool isAtMostZero(const Dataflow &flow, mlir::Value value);

/// Whether an element is 0 wherever the mask leaves -inf: 2^(masked - x), and what is converted
/// from it.
bool isZeroWhereMasked(const Dataflow &flow, mlir::Value value, tile::MaskOp mask);

} // namespace sparsec::cpu
