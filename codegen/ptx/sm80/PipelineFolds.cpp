// pipeline-folds: folds become loops over block columns, with the tiles of the next block on their
// way into shared memory while this one is computed.
//
//   copy q; commit                                   group 0
//   if any block: copy k, v of the first to stage 0
//   commit                                           group 1
//   wait 1; barrier; load_matrix q                   (a q that stays in shared memory has no
//                                                    group, wait and barrier of its own)
//   for each block:
//     wait 0          this thread's copies of the block have landed
//     barrier         everyone's have, and everyone is done with the other stage
//     if there is a next block: copy its k, v to the other stage
//     commit
//     lead and step of the block
//
// One barrier a block is enough, and each wait and barrier is needed. Neighbouring folds over one
// row of a layout that fetch alike (partial blocks, then full ones) share a pipeline: their blocks
// lie one after the other in the columns array, so the first full block is fetched while the last
// partial one is computed. A block's column is read one block before its copies need it.
#include "codegen/ptx/Passes.h"
#include "codegen/ptx/Warp.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/OperationSupport.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace sparsec {
#define GEN_PASS_DEF_PIPELINEFOLDS
#include "codegen/ptx/Passes.h.inc"

namespace {

/// 32-bit registers of left operand, accumulator and scores that a thread can spare before a left
/// operand is read from shared memory again for each block.
constexpr int kFragmentRegisters = 160;

/// Builds ops at one place, all with one location.
class PipelineBuilder : public ImplicitLocOpBuilder {
public:
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;
  Value i32(int64_t value) {
    return create<arith::ConstantOp>(getI32IntegerAttr(static_cast<int32_t>(value)));
  }
  Value less(Value a, Value b) { return create<arith::CmpIOp>(arith::CmpIPredicate::slt, a, b); }
};

/// Folds that run as one pipeline, and where their blocks are.
struct Chain {
  SmallVector<tile::FoldOp, 2> folds;
  tile::BlocksOp blocks(tile::FoldOp fold) const {
    return fold.getBlocks().getDefiningOp<tile::BlocksOp>();
  }
};

bool fetchAlike(tile::FoldOp a, tile::FoldOp b) {
  return OperationEquivalence::isRegionEquivalentTo(&a.getFetch(), &b.getFetch(),
                                                    OperationEquivalence::IgnoreLocations);
}

/// The fold that `fold` hands all its results to and nothing else, if it can share its pipeline.
tile::FoldOp follower(tile::FoldOp fold) {
  auto blocks = fold.getBlocks().getDefiningOp<tile::BlocksOp>();
  if (!blocks || blocks.getSet() != tile::BlockSet::Partial || fold.getNumResults() == 0)
    return {};
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
  auto after = next.getBlocks().getDefiningOp<tile::BlocksOp>();
  if (!after || after.getSet() != tile::BlockSet::Full || after.getLayout() != blocks.getLayout() ||
      after.getRow() != blocks.getRow() || !fetchAlike(fold, next))
    return {};
  return next;
}

/// Lowers one chain of folds.
class Pipeline {
public:
  Pipeline(Chain chain, const DenseMap<Value, Value> &resident, Block &allocations)
      : chain(chain), emit(chain.folds[0].getLoc(), chain.folds[0]), allocations(allocations) {
    for (auto [tile, operand] : resident)
      operands[tile] = operand;
  }

  LogicalResult run() {
    if (failed(allocate()))
      return failure();
    findBounds();
    Carried carried = first();
    for (tile::FoldOp fold : chain.folds)
      if (failed(loop(fold, carried)))
        return failure();
    return success();
  }

private:
  Chain chain;
  PipelineBuilder emit;
  Block &allocations;
  llvm::MapVector<Value, Value> operands; ///< tiles that products read -> buffer or tensor
  SmallVector<Value> buffers;             ///< of the loads of a fetch, in order
  Value list, begin, middle, end, last;

  /// What goes from one block to the next beside the fold's own carries.
  struct Carried {
    Value column; ///< of this block
    Value next;   ///< of the next
    Value stage;  ///< that this block lies in
  };

  LogicalResult allocate() {
    PipelineBuilder atTop(emit.getLoc(), allocations.getParentOp());
    atTop.setInsertionPointToStart(&allocations);
    for (Operation &op : chain.folds[0].getFetch().front())
      if (auto load = dyn_cast<tile::LoadOp>(op)) {
        auto type = dyn_cast<RankedTensorType>(load.getResult().getType());
        if (type.getRank() != 2 || load.getIndices().size() != 2 || load.getColumns())
          return load.emitOpError("only tiles of [batch, head, rows] are lowered to copies yet");
        buffers.push_back(atTop.create<warp::AllocOp>(
            warp::BufferType::get(type.getDimSize(0), type.getDimSize(1), type.getElementType(), 2),
            IntegerAttr()));
      }
    return success();
  }

  void findBounds() {
    tile::BlocksOp blocks = chain.blocks(chain.folds.front());
    auto row = emit.create<warp::BlockRowOp>(blocks.getLayout(), blocks.getRow());
    list = row.getList();
    middle = row.getFull();
    begin = blocks.getSet() == tile::BlockSet::Full ? middle : row.getPartial();
    bool onlyPartial = chain.folds.size() == 1 && blocks.getSet() == tile::BlockSet::Partial;
    end = onlyPartial ? middle : row.getEnd();
    last = emit.create<arith::SubIOp>(end, emit.i32(1));
  }

  Value columnAt(PipelineBuilder &at, Value index) {
    Value inside = at.create<arith::MinSIOp>(index, last);
    return at.create<warp::BlockColumnOp>(list, inside);
  }

  /// The copies of one block; the fetch region with loads as copies.
  void fetch(PipelineBuilder &at, tile::FoldOp fold, Value column, Value stage, bool valid) {
    IRMapping map;
    map.map(fold.getBlockIndex(), column);
    auto buffer = buffers.begin();
    for (Operation &op : fold.getFetch().front().without_terminator()) {
      auto load = dyn_cast<tile::LoadOp>(op);
      if (!load) {
        at.clone(op, map);
        continue;
      }
      at.create<warp::CopyOp>(
          map.lookupOrDefault(load.getView()), map.lookupOrDefault(load.getIndices()[0]),
          map.lookupOrDefault(load.getIndices()[1]), map.lookupOrDefault(load.getRows()),
          staged(at, *buffer++, stage), valid ? at.getUnitAttr() : UnitAttr());
    }
  }

  static Value staged(PipelineBuilder &at, Value buffer, Value stage) {
    auto type = cast<warp::BufferType>(buffer.getType());
    return at.create<warp::StageOp>(type.withStages(1), buffer, stage);
  }

  /// The first block's copies, before any loop.
  Carried first() {
    tile::FoldOp fold = chain.folds.front();
    bool valid = chain.blocks(fold).getSet() == tile::BlockSet::Full;
    SmallVector<Value> toRegisters = residentForRegisters();
    if (!toRegisters.empty())
      emit.create<warp::CommitOp>(); // a group of their own, to be waited for alone
    Value zero = emit.i32(0);
    auto branch = emit.create<scf::IfOp>(TypeRange{emit.getI32Type(), emit.getI32Type()},
                                         emit.less(begin, end), /*else=*/true);
    PipelineBuilder some(emit.getLoc(), branch.thenBlock(), branch.thenBlock()->end());
    Value column = some.create<warp::BlockColumnOp>(list, begin);
    fetch(some, fold, column, zero, valid);
    Value next = columnAt(some, some.create<arith::AddIOp>(begin, some.i32(1)));
    some.create<scf::YieldOp>(ValueRange{column, next});
    PipelineBuilder none(emit.getLoc(), branch.elseBlock(), branch.elseBlock()->end());
    none.create<scf::YieldOp>(ValueRange{zero, zero});
    emit.create<warp::CommitOp>();
    loadResident(toRegisters);
    return {branch.getResult(0), branch.getResult(1), zero};
  }

  /// Tiles loaded before the folds that fit into registers as left operands.
  SmallVector<Value> residentForRegisters() const {
    SmallVector<Value> tiles;
    for (auto &[tile, operand] : operands)
      if (isa<warp::BufferType>(operand.getType()) && fitsRegisters(tile))
        tiles.push_back(tile);
    return tiles;
  }

  void loadResident(ArrayRef<Value> tiles) {
    if (tiles.empty())
      return;
    emit.create<warp::WaitOp>(emit.getI32IntegerAttr(1));
    emit.create<warp::BarrierOp>();
    for (Value tile : tiles) {
      auto type = cast<RankedTensorType>(tile.getType());
      auto warps = chain.folds[0]->getParentOp()->getAttrOfType<IntegerAttr>(warp::kWarpsAttr);
      auto encoding = warp::LhsAttr::get(emit.getContext(), warps.getInt());
      operands[tile] = emit.create<warp::LoadMatrixOp>(
          RankedTensorType::get(type.getShape(), type.getElementType(), encoding), operands[tile]);
    }
  }

  bool fitsRegisters(Value tile) const {
    auto type = cast<RankedTensorType>(tile.getType());
    if (type.getElementType().isF32())
      return false;
    int64_t registers = type.getDimSize(1) / 4;
    tile::FoldOp fold = chain.folds.front();
    for (Value carry : fold.getInit())
      if (auto carried = dyn_cast<RankedTensorType>(carry.getType()))
        registers += warp::elementsPerThread(carried);
    for (Value score : fold.leadYield().getOperands())
      if (auto scores = dyn_cast<RankedTensorType>(score.getType()))
        registers += warp::elementsPerThread(scores);
    return registers <= kFragmentRegisters;
  }

  /// One fold's blocks.
  LogicalResult loop(tile::FoldOp fold, Carried &carried) {
    bool full = chain.blocks(fold).getSet() == tile::BlockSet::Full;
    bool lastFold = fold == chain.folds.back();
    Value from = fold == chain.folds.front() ? begin : middle, to = lastFold ? end : middle;
    SmallVector<Value> inits(fold.getInit());
    inits.append({carried.column, carried.next, carried.stage});
    auto loop = emit.create<scf::ForOp>(from, to, emit.i32(1), inits);
    PipelineBuilder body(fold.getLoc(), loop.getBody(), loop.getBody()->begin());
    auto arguments = loop.getRegionIterArgs();
    Carried now = {arguments[inits.size() - 3], arguments[inits.size() - 2],
                   arguments[inits.size() - 1]};
    body.create<warp::WaitOp>(body.getI32IntegerAttr(0));
    body.create<warp::BarrierOp>();
    Value other = body.create<arith::XOrIOp>(now.stage, body.i32(1));
    Value after = prefetch(body, fold, loop.getInductionVar(), now, other, full);
    body.create<warp::CommitOp>();
    SmallVector<Value> yields;
    if (failed(compute(body, fold, now, arguments.drop_back(3), yields)))
      return failure();
    yields.append({now.next, after, other});
    if (loop.getBody()->mightHaveTerminator())
      loop.getBody()->getTerminator()->erase();
    body.create<scf::YieldOp>(yields);
    for (auto [result, value] : llvm::zip(fold.getResults(), loop.getResults()))
      result.replaceAllUsesWith(value);
    unsigned carries = fold.getNumResults();
    carried = {loop.getResult(carries), loop.getResult(carries + 1), loop.getResult(carries + 2)};
    return success();
  }

  /// The next block's copies; gives the column of the block after it.
  Value prefetch(PipelineBuilder &at, tile::FoldOp fold, Value index, Carried now, Value other,
                 bool valid) {
    Value more = at.less(index, last);
    auto branch = at.create<scf::IfOp>(TypeRange{at.getI32Type()}, more, /*else=*/true);
    PipelineBuilder some(fold.getLoc(), branch.thenBlock(), branch.thenBlock()->end());
    fetch(some, fold, now.next, other, valid);
    Value after = columnAt(some, some.create<arith::AddIOp>(index, some.i32(2)));
    some.create<scf::YieldOp>(after);
    PipelineBuilder none(fold.getLoc(), branch.elseBlock(), branch.elseBlock()->end());
    none.create<scf::YieldOp>(now.next);
    return branch.getResult(0);
  }

  /// Lead and step of one block.
  LogicalResult compute(PipelineBuilder &at, tile::FoldOp fold, Carried now, ValueRange carries,
                        SmallVectorImpl<Value> &yields) {
    IRMapping map;
    for (auto [tile, operand] : operands)
      map.map(tile, operand);
    map.map(fold.getBlockIndex(), now.column);
    auto buffer = buffers.begin();
    for (Operation &op : fold.getFetch().front().without_terminator()) {
      if (auto load = dyn_cast<tile::LoadOp>(op))
        map.map(load.getResult(), staged(at, *buffer++, now.stage));
      else
        at.clone(op, map);
    }
    auto pass = [&](OperandRange from, Region &region, size_t offset) {
      for (auto [i, value] : llvm::enumerate(from))
        map.map(region.getArgument(offset + i), map.lookupOrDefault(value));
    };
    pass(fold.fetchYield().getOperands(), fold.getLead(), 0);
    pass(fold.fetchYield().getOperands(), fold.getStep(), 0);
    if (failed(cloneCompute(at, fold.getLead(), map)))
      return failure();
    pass(fold.leadYield().getOperands(), fold.getStep(), fold.fetchYield().getNumOperands());
    for (auto [argument, value] : llvm::zip(fold.carries(), carries))
      map.map(argument, value);
    if (failed(cloneCompute(at, fold.getStep(), map)))
      return failure();
    for (Value value : fold.stepYield().getOperands())
      yields.push_back(map.lookupOrDefault(value));
    return success();
  }

  LogicalResult cloneCompute(PipelineBuilder &at, Region &region, IRMapping &map) {
    for (Operation &op : region.front().without_terminator()) {
      auto dot = dyn_cast<tile::DotOp>(op);
      if (!dot) {
        if (isa<tile::LoadOp>(op))
          return op.emitOpError("loads belong into the fetch region of their fold");
        at.clone(op, map);
        continue;
      }
      auto type = cast<RankedTensorType>(dot.getResult().getType());
      Value accumulator = dot.getAcc() ? map.lookupOrDefault(dot.getAcc())
                                       : at.create<arith::ConstantOp>(DenseElementsAttr::get(
                                             type, at.getF32FloatAttr(0).getValue()));
      Value lhs = map.lookupOrDefault(dot.getLhs()), rhs = map.lookupOrDefault(dot.getRhs());
      if (!isa<warp::BufferType>(rhs.getType()))
        return dot.emitOpError("expected a right operand that the fold fetches");
      map.map(dot.getResult(),
              at.create<warp::MmaOp>(type, lhs, rhs, accumulator,
                                     dot.getRhsT() ? at.getUnitAttr() : UnitAttr()));
    }
    return success();
  }
};

struct PipelineFolds : impl::PipelineFoldsBase<PipelineFolds> {
  void runOnOperation() override {
    tile::KernelOp kernel = getOperation();
    Block &body = kernel.getBody().front();
    DenseMap<Value, Value> resident;
    SmallVector<Operation *> done;
    DenseSet<Operation *> chained;
    for (Operation &op : llvm::make_early_inc_range(body)) {
      if (auto load = dyn_cast<tile::LoadOp>(op)) {
        if (cast<RankedTensorType>(load.getResult().getType()).getEncoding())
          continue; // to registers
        if (failed(copyResident(load, body, resident)))
          return signalPassFailure();
        done.push_back(load);
      } else if (auto fold = dyn_cast<tile::FoldOp>(op)) {
        done.push_back(fold);
        if (!chained.contains(fold) && failed(lower(fold, resident, body, chained)))
          return signalPassFailure();
      } else if (auto store = dyn_cast<tile::StoreOp>(op)) {
        guardOptional(kernel, store);
      }
    }
    for (Operation *op : llvm::reverse(done))
      op->erase();
    for (tile::BlocksOp blocks : llvm::make_early_inc_range(body.getOps<tile::BlocksOp>()))
      if (blocks->use_empty())
        blocks->erase();
  }

  /// A tile that stays for the whole kernel: the first group of copies.
  static LogicalResult copyResident(tile::LoadOp load, Block &body,
                                    DenseMap<Value, Value> &resident) {
    auto type = cast<RankedTensorType>(load.getResult().getType());
    if (type.getRank() != 2 || load.getIndices().size() != 2 || load.getColumns())
      return load.emitOpError("only tiles of [batch, head, rows] are lowered to copies yet");
    if (!resident.empty())
      return load.emitOpError("one tile outside the folds is all that is lowered yet");
    PipelineBuilder emit(load.getLoc(), &body, body.begin());
    Value buffer = emit.create<warp::AllocOp>(
        warp::BufferType::get(type.getDimSize(0), type.getDimSize(1), type.getElementType(), 1),
        IntegerAttr());
    emit.setInsertionPoint(load);
    emit.create<warp::CopyOp>(load.getView(), load.getIndices()[0], load.getIndices()[1],
                              load.getRows(), buffer, UnitAttr());
    resident[load.getResult()] = buffer;
    return success();
  }

  static LogicalResult lower(tile::FoldOp fold, const DenseMap<Value, Value> &resident, Block &body,
                             DenseSet<Operation *> &chained) {
    Chain chain;
    for (tile::FoldOp link = fold; link; link = follower(link)) {
      chain.folds.push_back(link);
      chained.insert(link);
    }
    if (!chain.blocks(fold))
      return fold.emitOpError("only folds over tile.blocks are lowered to warps yet");
    return Pipeline(chain, resident, body).run();
  }

  /// A store to an optional view happens only where there is one.
  static void guardOptional(tile::KernelOp kernel, tile::StoreOp store) {
    auto view = dyn_cast<BlockArgument>(store.getView());
    if (!view || !kernel.isOptional(view))
      return;
    PipelineBuilder emit(store.getLoc(), store);
    auto branch = emit.create<scf::IfOp>(emit.create<warp::PresentOp>(view), /*else=*/false);
    store->moveBefore(branch.thenBlock()->getTerminator());
  }
};

} // namespace
} // namespace sparsec
