// allocate-shared: every warp.alloc gets its place in the block's shared memory, one after the
// other, each on 128 bytes so that swizzles work on offsets.
#include "codegen/ptx/Passes.h"
#include "codegen/ptx/Warp.h"

#include "mlir/IR/Builders.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace sparsec {
#define GEN_PASS_DEF_ALLOCATESHARED
#include "codegen/ptx/Passes.h.inc"

namespace {

struct AllocateShared : impl::AllocateSharedBase<AllocateShared> {
  void runOnOperation() override {
    Builder builder(&getContext());
    int64_t used = 0;
    getOperation().walk([&](warp::AllocOp alloc) {
      used = llvm::alignTo(used, 128);
      alloc.setOffset(used);
      used += alloc.getBuffer().getType().totalBytes();
    });
    getOperation()->setAttr(warp::kSharedBytesAttr, builder.getI32IntegerAttr(used));
  }
};

} // namespace
} // namespace sparsec
