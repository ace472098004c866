// Runs the arithmetic of a block on numbers: what tests hold emitted predicates against.
#pragma once

#include "mlir/IR/Block.h"
#include "mlir/IR/Value.h"

#include <vector>

namespace sparsec::testing {

/// The elements of a scalar or tensor, row by row, each with its bits in the low ones.
using Elements = std::vector<uint64_t>;

/// The elements of `result`, given those of the block's arguments. Fails the running test at an
/// operation it does not know, and where an operation has no defined result: division by zero,
/// overflow of a division, a shift by as many bits as there are.
Elements interpret(mlir::Block &block, llvm::ArrayRef<Elements> arguments, mlir::Value result);

} // namespace sparsec::testing
