#include "codegen/ptx/sm80/BlockStages.h"

#include "codegen/common/Derive.h"
#include "codegen/ptx/Warp.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace sparsec::sm80 {

FailureOr<Value> allocateBuffer(PipelineBuilder &emit, tile::LoadOp load, int stages) {
  auto type = cast<RankedTensorType>(load.getResult().getType());
  if (type.getRank() != 2 || load.getIndices().size() != 2 || load.getColumns())
    return load.emitOpError("only tiles of [batch, head, rows] are lowered to copies yet");
  auto buffer =
      warp::BufferType::get(type.getDimSize(0), type.getDimSize(1), type.getElementType(), stages);
  return Value(emit.create<warp::AllocOp>(buffer, IntegerAttr()));
}

static Value stageOf(PipelineBuilder &emit, Value buffer, Value stage) {
  auto type = cast<warp::BufferType>(buffer.getType());
  return emit.create<warp::StageOp>(type.withStages(1), buffer, stage);
}

/// What lives in registers belongs to computing a block: no copies wait for it, and it is loaded by
/// whoever computes.
static bool isInRegisters(Operation *op) {
  return llvm::any_of(op->getResultTypes(), [](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor && tensor.getEncoding();
  });
}

/// Keys of full blocks are known to exist; queries are not, since no pattern asks for it.
static bool areValid(tile::FoldOp fold, tile::LoadOp load) {
  auto rows = load.getRows().getDefiningOp<tile::RowsOp>();
  return FoldChain::blocks(fold).getSet() == tile::BlockSet::Full && rows && areKeys(rows);
}

LogicalResult BlockStages::allocate(mlir::Block &body) {
  PipelineBuilder atTop(chain.first().getLoc(), body.getParentOp());
  atTop.setInsertionPointToStart(&body);
  for (auto load : chain.first().getFetch().front().getOps<tile::LoadOp>()) {
    if (isInRegisters(load))
      continue;
    FailureOr<Value> buffer = allocateBuffer(atTop, load, /*stages=*/2);
    if (failed(buffer))
      return failure();
    buffers.push_back(*buffer);
  }
  return success();
}

void BlockStages::findBounds(PipelineBuilder &emit) {
  tile::BlocksOp blocks = FoldChain::blocks(chain.first());
  auto ofHead = blocks.getRow().getDefiningOp<tile::LayoutRowOp>();
  auto row = emit.create<warp::BlockRowOp>(blocks.getLayout(), blocks.getRow(),
                                           ofHead ? ofHead.getPlace() : Value());
  list = row.getList();
  middle = row.getFull();
  from = blocks.getSet() == tile::BlockSet::Full ? middle : row.getPartial();
  bool onlyPartial = chain.folds.size() == 1 && blocks.getSet() == tile::BlockSet::Partial;
  to = onlyPartial ? middle : row.getEnd();
  last = emit.create<arith::SubIOp>(to, emit.i32(1));
}

Value BlockStages::columnAt(PipelineBuilder &emit, Value index) const {
  Value inside = emit.create<arith::MinSIOp>(index, last);
  return emit.create<warp::BlockColumnOp>(list, inside);
}

/// The fetch region with its loads as copies.
void BlockStages::copyBlock(PipelineBuilder &emit, tile::FoldOp fold, Value column,
                            Value stage) const {
  IRMapping map;
  map.map(fold.getBlockIndex(), column);
  auto buffer = buffers.begin();
  for (Operation &op : fold.getFetch().front().without_terminator()) {
    if (isInRegisters(&op))
      continue;
    auto load = dyn_cast<tile::LoadOp>(op);
    if (!load) {
      emit.clone(op, map);
      continue;
    }
    emit.create<warp::CopyOp>(
        map.lookupOrDefault(load.getView()), map.lookupOrDefault(load.getIndices()[0]),
        map.lookupOrDefault(load.getIndices()[1]), map.lookupOrDefault(load.getRows()),
        stageOf(emit, *buffer++, stage), areValid(fold, load) ? emit.getUnitAttr() : UnitAttr());
  }
}

BlockStages::Carried BlockStages::first(PipelineBuilder &emit) {
  Value zero = emit.i32(0);
  auto branch = emit.create<scf::IfOp>(TypeRange{emit.getI32Type(), emit.getI32Type()},
                                       emit.less(from, to), /*else=*/true);
  PipelineBuilder some(emit.getLoc(), branch.thenBlock(), branch.thenBlock()->end());
  Value column = some.create<warp::BlockColumnOp>(list, from);
  copyBlock(some, chain.first(), column, zero);
  Value next = columnAt(some, some.create<arith::AddIOp>(from, some.i32(1)));
  some.create<scf::YieldOp>(ValueRange{column, next});
  PipelineBuilder none(emit.getLoc(), branch.elseBlock(), branch.elseBlock()->end());
  none.create<scf::YieldOp>(ValueRange{zero, zero});
  return {branch.getResult(0), branch.getResult(1), zero};
}

Value BlockStages::prefetch(PipelineBuilder &emit, tile::FoldOp fold, Value index,
                            const Carried &now, Value other) {
  Value more = emit.less(index, last);
  auto branch = emit.create<scf::IfOp>(TypeRange{emit.getI32Type()}, more, /*else=*/true);
  PipelineBuilder some(fold.getLoc(), branch.thenBlock(), branch.thenBlock()->end());
  copyBlock(some, fold, now.next, other);
  Value after = columnAt(some, some.create<arith::AddIOp>(index, some.i32(2)));
  some.create<scf::YieldOp>(after);
  PipelineBuilder none(fold.getLoc(), branch.elseBlock(), branch.elseBlock()->end());
  none.create<scf::YieldOp>(now.next);
  return branch.getResult(0);
}

void BlockStages::mapFetched(PipelineBuilder &emit, tile::FoldOp fold, const Carried &now,
                             IRMapping &map) const {
  map.map(fold.getBlockIndex(), now.column);
  auto buffer = buffers.begin();
  for (Operation &op : fold.getFetch().front().without_terminator()) {
    auto load = dyn_cast<tile::LoadOp>(op);
    if (load && !isInRegisters(load))
      map.map(load.getResult(), stageOf(emit, *buffer++, now.stage));
    else
      emit.clone(op, map);
  }
}

} // namespace sparsec::sm80
