// pipeline-folds: folds become loops over block columns, with the tiles of the next block on their
// way into shared memory while this one is computed.
//
//   copy q; commit                                   group 0: tiles that stay (ResidentTiles.h)
//   if any block: copy k, v of the first to stage 0
//   commit                                           group 1
//   wait 1; barrier; load_matrix q                   (where none goes on to registers, they have no
//                                                    group, wait and barrier of their own)
//   for each block:
//     wait 0          this thread's copies of the block have landed
//     barrier         everyone's have, and everyone is done with the other stage
//     if there is a next block: copy its k, v to the other stage (BlockStages.h)
//     commit
//     lead and step of the block (BlockCompute.h)
//
// With more than two stages as many blocks less one are copied first, a group each, and a turn
// waits until all but the groups of the blocks after this one have landed.
//
// One barrier a block is enough, and each wait and barrier is needed. Neighbouring folds may share
// a pipeline (FoldChain.h): then the second loop goes on where the first one ended.
//
// A chain in a loop starts anew in every turn, with a barrier before its first copies: until then
// some may still compute the last block of the turn before, out of the same stages. Tiles that stay
// are copied outside, once.
//
// A fold whose tiles all go to registers is a plain loop: they are loaded by whoever computes.
#include "codegen/ptx/Passes.h"
#include "codegen/ptx/Warp.h"
#include "codegen/ptx/sm80/BlockCompute.h"
#include "codegen/ptx/sm80/BlockStages.h"
#include "codegen/ptx/sm80/ResidentTiles.h"

using namespace mlir;

namespace sparsec {
#define GEN_PASS_DEF_PIPELINEFOLDS
#include "codegen/ptx/Passes.h.inc"

namespace {

using namespace sm80;

/// Lowers one chain of folds.
class Pipeline {
public:
  Pipeline(const FoldChain &chain, const ResidentTiles &resident, int warps)
      : chain(chain), resident(resident), operands(resident.inShared()), stages(chain),
        emit(chain.first().getLoc(), chain.first()), warps(warps) {}

  LogicalResult run(Block &body) {
    if (failed(stages.allocate(body)))
      return failure();
    if (stages.copies() &&
        chain.first()->getBlock() != &body) // everyone is done with the turn before
      emit.create<warp::BarrierOp>();
    stages.findBounds(emit);
    BlockStages::Carried carried = prologue();
    for (tile::FoldOp fold : chain.folds)
      if (failed(loop(fold, carried)))
        return failure();
    return success();
  }

private:
  FoldChain chain;
  const ResidentTiles &resident;
  ResidentTiles::Operands operands;
  BlockStages stages;
  PipelineBuilder emit;
  int warps;

  /// Before the loops.
  BlockStages::Carried prologue() {
    SmallVector<Value> toRegisters = resident.forRegisters(chain, warps);
    if (!toRegisters.empty())
      emit.create<warp::CommitOp>(); // a group of their own, to be waited for alone
    BlockStages::Carried carried = stages.first(emit);
    // Without copies of its own no turn of the loop waits for the tiles that stay.
    bool waits = !toRegisters.empty() || (!stages.copies() && !operands.empty());
    if (!stages.copies() && waits)
      emit.create<warp::CommitOp>();
    if (waits) {
      emit.create<warp::WaitOp>(emit.getI32IntegerAttr(stages.copies() ? stages.ahead() : 0));
      emit.create<warp::BarrierOp>();
      ResidentTiles::load(emit, toRegisters, warps, operands);
    }
    return carried;
  }

  /// One fold's blocks.
  LogicalResult loop(tile::FoldOp fold, BlockStages::Carried &carried) {
    SmallVector<Value> inits(fold.getInit());
    inits.append(stages.packed(carried));
    auto loop = emit.create<scf::ForOp>(stages.begin(fold), stages.end(fold), emit.i32(1), inits);
    PipelineBuilder body(fold.getLoc(), loop.getBody(), loop.getBody()->begin());
    unsigned ours = stages.packedSize();
    ValueRange arguments = loop.getRegionIterArgs();
    BlockStages::Carried now =
        stages.unpacked(body, arguments.take_back(ours), loop.getInductionVar());
    if (stages.copies()) {
      body.create<warp::WaitOp>(body.getI32IntegerAttr(stages.ahead() - 1));
      body.create<warp::BarrierOp>();
    }
    BlockStages::Carried after = stages.prefetch(body, fold, loop.getInductionVar(), now);
    FailureOr<SmallVector<Value>> yields = compute(body, fold, now, arguments.drop_back(ours));
    if (failed(yields))
      return failure();
    yields->append(stages.packed(after));
    if (!yields->empty()) // else it is there
      body.create<scf::YieldOp>(*yields);
    for (auto [result, value] : llvm::zip(fold.getResults(), loop.getResults()))
      result.replaceAllUsesWith(value);
    ValueRange results = loop.getResults();
    carried = stages.unpacked(emit, results.take_back(ours), stages.end(fold));
    return success();
  }

  FailureOr<SmallVector<Value>> compute(PipelineBuilder &body, tile::FoldOp fold,
                                        const BlockStages::Carried &now, ValueRange carries) {
    IRMapping map;
    for (auto [tile, operand] : operands)
      map.map(tile, operand);
    stages.mapFetched(body, fold, now, map);
    FailureOr<SmallVector<Value>> yields = computeBlock(body, fold, map, carries);
    // Not before products that do not need them: a thread would hold them meanwhile.
    for (auto load : llvm::make_early_inc_range(body.getBlock()->getOps<warp::LoadVectorOp>()))
      if (Operation *user = firstUser(load))
        load->moveBefore(user);
    return yields;
  }

  /// In the block of the operation.
  static Operation *firstUser(Operation *op) {
    Operation *first = nullptr;
    for (Operation *user : op->getUsers()) {
      Operation *above = op->getBlock()->findAncestorOpInBlock(*user);
      if (above && (!first || above->isBeforeInBlock(first)))
        first = above;
    }
    return first;
  }
};

/// All folds of a kernel.
class KernelFolds {
public:
  explicit KernelFolds(tile::KernelOp kernel) : kernel(kernel), body(kernel.getBody().front()) {}

  LogicalResult run() {
    if (failed(lower(body)))
      return failure();
    for (Operation *op : llvm::reverse(done))
      op->erase();
    kernel.walk([&](Operation *op) {
      if (isa<tile::BlocksOp, tile::RangeOp>(op) && op->use_empty())
        op->erase();
      else if (auto store = dyn_cast<tile::StoreOp>(op))
        finish(store);
      else if (auto store = dyn_cast<tile::StoreScalarOp>(op))
        meetBefore(store);
    });
    return success();
  }

private:
  tile::KernelOp kernel;
  Block &body;
  ResidentTiles resident;
  SmallVector<Operation *> done;
  DenseSet<Operation *> lowered;

  /// The body, or a loop's in it.
  LogicalResult lower(Block &block) {
    for (Operation &op : llvm::make_early_inc_range(block)) {
      LogicalResult result = success();
      if (auto load = dyn_cast<tile::LoadOp>(op))
        result = lower(load);
      else if (auto fold = dyn_cast<tile::FoldOp>(op))
        result = lower(fold);
      else if (auto loop = dyn_cast<scf::ForOp>(op))
        result = lower(*loop.getBody());
      if (failed(result))
        return failure();
    }
    return success();
  }

  LogicalResult lower(tile::LoadOp load) {
    if (cast<RankedTensorType>(load.getResult().getType()).getEncoding())
      return success(); // to registers
    if (load->getBlock() != &body)
      return load.emitOpError("a tile of products that is loaded in a loop, outside a fold, is not "
                              "lowered to warps yet");
    done.push_back(load);
    return resident.copy(load, body);
  }

  LogicalResult lower(tile::FoldOp fold) {
    done.push_back(fold);
    if (lowered.contains(fold))
      return success();
    FoldChain chain = FoldChain::startingAt(fold);
    lowered.insert(chain.folds.begin(), chain.folds.end());
    if (!isa_and_nonnull<tile::BlocksOp, tile::RangeOp>(fold.getBlocks().getDefiningOp()))
      return fold.emitOpError("only folds over tile.blocks and tile.range are lowered to warps");
    auto warps = kernel->getAttrOfType<IntegerAttr>(warp::kWarpsAttr);
    return Pipeline(chain, resident, static_cast<int>(warps.getInt())).run(body);
  }

  /// Whether a barrier stands behind all that reads the view that a store writes to.
  static bool isReadBefore(tile::StoreOp store) {
    SmallVector<Operation *> loads;
    for (Operation *user : store.getView().getUsers())
      if (isa<tile::LoadOp>(user))
        loads.push_back(user);
    for (Operation *op = store->getPrevNode(); op && !loads.empty(); op = op->getPrevNode()) {
      if (isa<warp::BarrierOp>(op))
        return !llvm::any_of(loads, [&](Operation *load) {
          Operation *above = store->getBlock()->findAncestorOpInBlock(*load);
          return !above || op->isBeforeInBlock(above);
        });
    }
    return loads.empty();
  }

  /// A vector is in several threads, and one of them stores it: what it writes over must have been
  /// read by all.
  void finish(tile::StoreOp store) {
    auto slice = dyn_cast_or_null<warp::SliceAttr>(
        cast<RankedTensorType>(store.getValue().getType()).getEncoding());
    auto stripes = slice ? dyn_cast<warp::StripedAttr>(slice.getOf()) : warp::StripedAttr();
    bool crosses =
        slice && (slice.getAxis() == warp::Axis::Columns || (stripes && stripes.getAcross() > 1));
    if (crosses && !isReadBefore(store))
      PipelineBuilder(store.getLoc(), store).create<warp::BarrierOp>();
    guardOptional(store);
  }

  /// One thread writes, once all have read what it may write over.
  void meetBefore(tile::StoreScalarOp store) {
    Operation *before = store->getPrevNode();
    while (before && isMemoryEffectFree(before))
      before = before->getPrevNode();
    if (!isa_and_nonnull<tile::StoreScalarOp>(before)) // which met already
      PipelineBuilder(store.getLoc(), store).create<warp::BarrierOp>();
  }

  /// A store to an optional view happens only where there is one.
  void guardOptional(tile::StoreOp store) {
    auto view = dyn_cast<BlockArgument>(store.getView());
    if (!view || !kernel.isOptional(view))
      return;
    PipelineBuilder emit(store.getLoc(), store);
    auto branch = emit.create<scf::IfOp>(emit.create<warp::PresentOp>(view), /*else=*/false);
    store->moveBefore(branch.thenBlock()->getTerminator());
  }
};

struct PipelineFolds : impl::PipelineFoldsBase<PipelineFolds> {
  void runOnOperation() override {
    if (failed(KernelFolds(getOperation()).run()))
      signalPassFailure();
  }
};

} // namespace
} // namespace sparsec
