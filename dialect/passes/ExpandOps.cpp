// Operations become tile programs. An op owns its kernels, so this pass names none.
#include "dialect/Ops.h"
#include "dialect/passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinOps.h"

namespace sparsec {

#define GEN_PASS_DEF_EXPANDOPS
#include "dialect/passes/Passes.h.inc"

namespace {

struct ExpandOps : impl::ExpandOpsBase<ExpandOps> {
  void runOnOperation() override {
    for (auto op : llvm::make_early_inc_range(getOperation().getOps<ops::KernelOpInterface>())) {
      mlir::OpBuilder builder(op);
      op.buildKernels(builder);
      op.erase();
    }
  }
};

} // namespace
} // namespace sparsec
