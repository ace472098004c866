// Most live blocks of a long row are full: every pair of theirs attends, so they need no mask. The
// layout lists a row's partial blocks first; the fold over them hands its carries to a second fold
// over the full ones, which is the same program with the pattern known to hold.
#include "dialect/Tile.h"
#include "dialect/passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace sparsec {

#define GEN_PASS_DEF_SPLITFULLBLOCKS
#include "dialect/passes/Passes.h.inc"

namespace {

/// Whether a fold goes over all blocks of a row and would be simpler without its partial ones.
bool worthSplitting(tile::FoldOp fold) {
  auto blocks = fold.getBlocks().getDefiningOp<tile::BlocksOp>();
  if (!blocks || blocks.getSet() != tile::BlockSet::All)
    return false;
  return !fold.getStep().getOps<tile::PredicateOp>().empty();
}

/// A clone of the fold over part of its blocks.
tile::FoldOp foldOver(tile::BlockSet set, tile::FoldOp fold, ValueRange init) {
  OpBuilder builder(fold);
  auto all = fold.getBlocks().getDefiningOp<tile::BlocksOp>();
  auto part = tile::BlocksOp::create(builder, all.getLoc(), all.getType(), set, all.getLayout(),
                                     all.getRow(), all.getSlice());
  auto clone = cast<tile::FoldOp>(builder.clone(*fold));
  clone.getBlocksMutable().assign(part);
  clone.getInitMutable().assign(init);
  return clone;
}

/// In a full block the pattern holds everywhere.
void dropMasks(tile::FoldOp fold) {
  for (auto predicate : llvm::make_early_inc_range(fold.getStep().getOps<tile::PredicateOp>())) {
    for (Operation *user : llvm::make_early_inc_range(predicate->getUsers()))
      if (auto mask = dyn_cast<tile::MaskOp>(user)) {
        mask.replaceAllUsesWith(mask.getScores());
        mask.erase();
      }
    OpBuilder builder(predicate);
    auto holds = DenseElementsAttr::get(cast<ShapedType>(predicate.getType()), true);
    if (!predicate->use_empty())
      predicate.replaceAllUsesWith(
          arith::ConstantOp::create(builder, predicate.getLoc(), holds).getResult());
    predicate.erase();
  }
}

struct SplitFullBlocks : impl::SplitFullBlocksBase<SplitFullBlocks> {
  void runOnOperation() override {
    SmallVector<tile::FoldOp> folds;
    getOperation().walk([&](tile::FoldOp fold) {
      if (worthSplitting(fold))
        folds.push_back(fold);
    });
    for (tile::FoldOp fold : folds) {
      tile::FoldOp partial = foldOver(tile::BlockSet::Partial, fold, fold.getInit());
      tile::FoldOp full = foldOver(tile::BlockSet::Full, fold, partial.getResults());
      dropMasks(full);
      fold.replaceAllUsesWith(full.getResults());
      fold.erase();
    }
  }
};

} // namespace
} // namespace sparsec
