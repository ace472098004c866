#include "codegen/ptx/sm80/FoldChain.h"

#include "mlir/IR/OperationSupport.h"

using namespace mlir;

namespace sparsec::sm80 {
namespace {

bool fetchAlike(tile::FoldOp a, tile::FoldOp b) {
  return OperationEquivalence::isRegionEquivalentTo(&a.getFetch(), &b.getFetch(),
                                                    OperationEquivalence::IgnoreLocations);
}

/// The fold that `fold` hands all its results to and nothing else.
tile::FoldOp onlyUser(tile::FoldOp fold) {
  tile::FoldOp next;
  for (OpResult result : fold.getResults()) {
    if (!result.hasOneUse())
      return {};
    auto user = dyn_cast<tile::FoldOp>(*result.user_begin());
    if (!user || (next && user != next) || user->getBlock() != fold->getBlock() ||
        user.getInit()[result.getResultNumber()] != result)
      return {};
    next = user;
  }
  return next;
}

/// The fold that goes on from `fold`, or null.
tile::FoldOp follower(tile::FoldOp fold) {
  tile::BlocksOp blocks = FoldChain::blocks(fold);
  if (!blocks || blocks.getSet() != tile::BlockSet::Partial)
    return {};
  tile::FoldOp next = onlyUser(fold);
  tile::BlocksOp after = next ? FoldChain::blocks(next) : tile::BlocksOp();
  if (!after || after.getSet() != tile::BlockSet::Full || after.getLayout() != blocks.getLayout() ||
      after.getRow() != blocks.getRow() || after.getSlice() != blocks.getSlice() ||
      !fetchAlike(fold, next))
    return {};
  return next;
}

} // namespace

FoldChain FoldChain::startingAt(tile::FoldOp fold) {
  FoldChain chain;
  for (; fold; fold = follower(fold))
    chain.folds.push_back(fold);
  return chain;
}

} // namespace sparsec::sm80
