// A pattern becomes arithmetic on positions, where its kernel asks for it. After split-full-blocks,
// which needs to see whole patterns; before anything that looks at single operations.
#include "dialect/Tile.h"
#include "dialect/passes/Passes.h"
#include "dialect/predicate/Emit.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace sparsec {

#define GEN_PASS_DEF_LOWERPREDICATES
#include "dialect/passes/Passes.h.inc"

namespace {

struct LowerPredicates : impl::LowerPredicatesBase<LowerPredicates> {
  void runOnOperation() override {
    getOperation().walk([](tile::PredicateOp op) {
      mlir::ImplicitLocOpBuilder builder(op.getLoc(), op);
      mlir::Value attend = emitPredicate(builder, op.getPattern().predicate(),
                                         {.head = op.getHead(),
                                          .queries = op.getQ(),
                                          .keys = op.getK(),
                                          .n = op.getN(),
                                          .nq = op.getNq(),
                                          .keysFirst = op.getKeysFirst()});
      op.replaceAllUsesWith(attend);
      op.erase();
    });
  }
};

} // namespace
} // namespace sparsec
