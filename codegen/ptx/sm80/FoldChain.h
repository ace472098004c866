// Which folds of a kernel share a pipeline.
//
//   %m = tile.fold %j in %partial init(%z) fetch { k, v }
//   %o = tile.fold %j in %full init(%m) fetch { k, v }
//
// are one chain: their blocks lie one after the other in the row's list, so the first full block is
// fetched while the last partial one is computed.
//
// A fold goes on from another when it takes all its results and nobody else does, goes over the
// full blocks of the row whose partial ones the other goes over, and fetches alike.
#pragma once

#include "dialect/Tile.h"

namespace sparsec::sm80 {

struct FoldChain {
  llvm::SmallVector<tile::FoldOp, 2> folds;

  /// As long as it gets.
  static FoldChain startingAt(tile::FoldOp fold);

  tile::FoldOp first() const { return folds.front(); }
  tile::FoldOp last() const { return folds.back(); }
  /// Null: a fold over something else.
  static tile::BlocksOp blocks(tile::FoldOp fold) {
    return fold.getBlocks().getDefiningOp<tile::BlocksOp>();
  }
};

} // namespace sparsec::sm80
