#include "codegen/common/Carries.h"

using namespace mlir;

namespace sparsec {

Carries carriesOf(Operation *loop) {
  if (auto fold = dyn_cast<tile::FoldOp>(loop)) {
    Carries carries{fold.getInit(), {}, {}, fold.getResults()};
    llvm::append_range(carries.arguments, fold.carries());
    llvm::append_range(carries.yields, fold.stepYield().getValues());
    return carries;
  }
  auto each = cast<scf::ForOp>(loop);
  Carries carries{each.getInitArgs(), {}, {}, each.getResults()};
  llvm::append_range(carries.arguments, each.getRegionIterArgs());
  llvm::append_range(carries.yields, each.getYieldedValues());
  return carries;
}

} // namespace sparsec
