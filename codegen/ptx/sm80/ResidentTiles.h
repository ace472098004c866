// Tiles that stay for the whole kernel: what is loaded before the folds for their products.
//
//   %q = tile.load ...           copied into shared memory once, the first group of copies
//   tile.fold ...                tile.dot %q, %k: the left operand of products, for every block
//
// A left operand of 16 bits goes on to registers, where every product takes it from, as long as the
// thread has enough of them beside what a fold carries and scores. Others are read from shared
// memory for each block again.
#pragma once

#include "codegen/ptx/sm80/FoldChain.h"
#include "codegen/ptx/sm80/PipelineBuilder.h"

#include "llvm/ADT/MapVector.h"

namespace sparsec::sm80 {

class ResidentTiles {
public:
  /// What products read for a tile: its buffer, or a tensor in registers.
  using Operands = llvm::MapVector<mlir::Value, mlir::Value>;

  /// Starts the copy of a tile where it is loaded. Buffers stand at the top of the kernel's body,
  /// in the order of the loads.
  mlir::LogicalResult copy(tile::LoadOp load, mlir::Block &body);
  const Operands &inShared() const { return buffers; }
  /// Those that the products of a chain are to take from registers.
  llvm::SmallVector<mlir::Value> forRegisters(const FoldChain &chain, int warps) const;
  /// Loads them, once their copies are seen by all threads.
  static void load(PipelineBuilder &emit, llvm::ArrayRef<mlir::Value> tiles, int warps,
                   Operands &operands);

private:
  Operands buffers;
};

} // namespace sparsec::sm80
