// allocate-shared: every warp.alloc gets its place in the block's shared memory (SharedRows.h), in
// the order that they stand in.
#include "codegen/ptx/Passes.h"
#include "codegen/ptx/SharedRows.h"
#include "codegen/ptx/Warp.h"

#include "mlir/IR/Builders.h"

using namespace mlir;

namespace sparsec {
#define GEN_PASS_DEF_ALLOCATESHARED
#include "codegen/ptx/Passes.h.inc"

namespace {

struct AllocateShared : impl::AllocateSharedBase<AllocateShared> {
  void runOnOperation() override {
    Builder builder(&getContext());
    SharedLayout place;
    getOperation().walk([&](warp::AllocOp alloc) {
      warp::BufferType type = alloc.getBuffer().getType();
      alloc.setOffset(place.add(type.getRows(), type.lie(), type.getStages()));
    });
    getOperation()->setAttr(warp::kSharedBytesAttr, builder.getI32IntegerAttr(place.bytes()));
  }
};

} // namespace
} // namespace sparsec
