// What is computed of one block: lead and step of a fold in the body of its loop, with products on
// what is in shared memory and registers.
#pragma once

#include "codegen/ptx/sm80/PipelineBuilder.h"
#include "dialect/Tile.h"

#include "mlir/IR/IRMapping.h"

namespace sparsec::sm80 {

/// `map` has what the fetch region gives for the block, and the operand of each resident tile.
/// Gives what the step yields for `carries`.
mlir::FailureOr<llvm::SmallVector<mlir::Value>> computeBlock(PipelineBuilder &emit,
                                                             tile::FoldOp fold,
                                                             mlir::IRMapping &map,
                                                             mlir::ValueRange carries);

} // namespace sparsec::sm80
