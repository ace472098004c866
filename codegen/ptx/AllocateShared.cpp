// allocate-shared: every warp.alloc gets its place in the block's shared memory (SharedRows.h), in
// the order that they stand in; then come the exchanges of reductions between warps, all in one
// place: each has barriers of its own.
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
    int scratch = 0;
    SmallVector<tile::ReduceOp> exchanges;
    getOperation().walk([&](tile::ReduceOp reduce) {
      if (int bytes = warp::scratchBytes(reduce)) {
        scratch = std::max(scratch, bytes);
        exchanges.push_back(reduce);
      }
    });
    if (scratch) {
      int offset = place.add(1, SharedRows{scratch, false});
      for (tile::ReduceOp reduce : exchanges)
        reduce->setAttr(warp::kScratchAttr, builder.getI32IntegerAttr(offset));
      if (exchanges[0]->getParentOp() == getOperation())
        exchanges[0]->setAttr(warp::kFirstAttr, builder.getUnitAttr());
    }
    getOperation()->setAttr(warp::kSharedBytesAttr, builder.getI32IntegerAttr(place.bytes()));
  }
};

} // namespace
} // namespace sparsec
