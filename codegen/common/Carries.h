// What goes round in a loop of a tile program, be it a fold or an scf.for.
//
//   %s = scf.for ... iter_args(%before = %zero)     init %zero, argument %before, yield %after,
//          scf.yield %after                         result %s
#pragma once

#include "dialect/Tile.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace sparsec {

struct Carries {
  mlir::OperandRange init;
  llvm::SmallVector<mlir::Value> arguments; ///< of a fold: its step's
  llvm::SmallVector<mlir::Value> yields;
  mlir::ResultRange results;
};

inline bool isLoop(mlir::Operation *op) {
  return mlir::isa<tile::FoldOp, mlir::scf::ForOp>(op);
}
Carries carriesOf(mlir::Operation *loop);

} // namespace sparsec
