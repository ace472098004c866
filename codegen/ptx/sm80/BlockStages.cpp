#include "codegen/ptx/sm80/BlockStages.h"

#include "codegen/common/Derive.h"
#include "codegen/ptx/Warp.h"
#include "dialect/Schedule.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace sparsec::sm80 {

FailureOr<Value> allocateBuffer(PipelineBuilder &emit, tile::LoadOp load, int stages) {
  auto type = cast<RankedTensorType>(load.getResult().getType());
  bool vector = type.getRank() == 1;
  auto buffer = warp::BufferType::get(vector ? 1 : type.getDimSize(0), type.getShape().back(),
                                      type.getElementType(), stages);
  return Value(emit.create<warp::AllocOp>(buffer, IntegerAttr()));
}

void copyTile(PipelineBuilder &emit, tile::LoadOp load, const IRMapping &map, Value buffer,
              bool valid) {
  auto mapped = [&](Value value) { return value ? map.lookupOrDefault(value) : value; };
  SmallVector<Value> indices;
  for (Value index : load.getIndices())
    indices.push_back(mapped(index));
  if (cast<RankedTensorType>(load.getResult().getType()).getRank() == 1) {
    emit.create<warp::CopyVectorOp>(mapped(load.getView()), indices, mapped(load.getRows()),
                                    buffer);
    return;
  }
  emit.create<warp::CopyOp>(mapped(load.getView()), indices, mapped(load.getRows()),
                            mapped(load.getColumns()), buffer,
                            valid ? emit.getUnitAttr() : UnitAttr());
}

static Value stageOf(PipelineBuilder &emit, Value buffer, Value stage) {
  auto type = cast<warp::BufferType>(buffer.getType());
  return emit.create<warp::StageOp>(type.withStages(1), buffer, stage);
}

/// A vector along the columns of products: it waits in shared memory until it is needed, since a
/// thread holds many of its values.
static bool isSharedVector(tile::LoadOp load) {
  auto type = cast<RankedTensorType>(load.getResult().getType());
  auto slice = dyn_cast_or_null<warp::SliceAttr>(type.getEncoding());
  return slice && slice.getAxis() == warp::Axis::Columns && !load.getColumns() &&
         isa<warp::AccumulatorAttr>(slice.getOf()) && type.getElementType().isF32() &&
         load.getView().getType().getElementType().isF32();
}

/// What lives in registers belongs to computing a block: no copies wait for it, and it is loaded by
/// whoever computes.
static bool isInRegisters(Operation *op) {
  if (auto load = dyn_cast<tile::LoadOp>(op); load && isSharedVector(load))
    return false;
  return llvm::any_of(op->getResultTypes(), [](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor && tensor.getEncoding();
  });
}

/// Keys of full blocks are known to exist; queries are not, since no pattern asks for it.
static bool areValid(tile::FoldOp fold, tile::LoadOp load) {
  auto rows = load.getRows().getDefiningOp<tile::RowsOp>();
  tile::BlocksOp blocks = FoldChain::blocks(fold);
  return blocks && blocks.getSet() == tile::BlockSet::Full && rows && areKeys(rows) &&
         !load.getColumns();
}

BlockStages::BlockStages(const FoldChain &chain) : chain(chain) {
  tile::FoldOp fold = chain.first();
  auto asked =
      fold->getParentOfType<tile::KernelOp>()->getAttrOfType<IntegerAttr>(tile::kStagesAttr);
  if (asked && fold.getBlocks().getDefiningOp<tile::RangeOp>())
    count = std::max(int(asked.getInt()), 2);
}

LogicalResult BlockStages::allocate(mlir::Block &body) {
  PipelineBuilder atTop(chain.first().getLoc(), body.getParentOp());
  atTop.setInsertionPointToStart(&body);
  for (auto load : chain.first().getFetch().front().getOps<tile::LoadOp>()) {
    if (isInRegisters(load))
      continue;
    FailureOr<Value> buffer = allocateBuffer(atTop, load, count);
    if (failed(buffer))
      return failure();
    buffers.push_back(*buffer);
  }
  return success();
}

SmallVector<Value, 3> BlockStages::packed(const Carried &carried) const {
  SmallVector<Value, 3> values;
  if (list)
    values = {carried.column, carried.next};
  if (copies())
    values.push_back(carried.stage);
  return values;
}

BlockStages::Carried BlockStages::unpacked(PipelineBuilder &emit, ValueRange values,
                                           Value index) const {
  Value stage = copies() ? values.back() : Value();
  if (list)
    return {values[0], values[1], stage};
  return {index, Value(), stage};
}

/// Where a part of a row's list begins, its partial blocks end, and it ends.
static std::array<Value, 3> sliced(PipelineBuilder &emit, ValueRange slice,
                                   std::array<Value, 3> row) {
  if (slice.empty())
    return row;
  auto [begin, full, end] = row;
  Value count = emit.create<arith::SubIOp>(end, begin);
  auto place = [&](Value part) -> Value {
    Value before = emit.create<arith::DivUIOp>(emit.create<arith::MulIOp>(count, part), slice[1]);
    return emit.create<arith::AddIOp>(begin, before);
  };
  Value from = place(slice[0]);
  Value to = place(emit.create<arith::AddIOp>(slice[0], emit.i32(1)));
  Value middle = emit.create<arith::MinSIOp>(emit.create<arith::MaxSIOp>(full, from), to);
  return {from, middle, to};
}

void BlockStages::findBounds(PipelineBuilder &emit) {
  if (auto range = chain.first().getBlocks().getDefiningOp<tile::RangeOp>()) {
    from = range.getLow();
    middle = to = range.getHigh();
    last = copies() ? Value(emit.create<arith::SubIOp>(to, emit.i32(ahead()))) : Value();
    return;
  }
  tile::BlocksOp blocks = FoldChain::blocks(chain.first());
  auto ofHead = blocks.getRow().getDefiningOp<tile::LayoutRowOp>();
  auto row = emit.create<warp::BlockRowOp>(blocks.getLayout(), blocks.getRow(),
                                           ofHead ? ofHead.getPlace() : Value());
  list = row.getList();
  auto [begin, full, end] =
      sliced(emit, blocks.getSlice(), {row.getPartial(), row.getFull(), row.getEnd()});
  middle = full;
  from = blocks.getSet() == tile::BlockSet::Full ? middle : begin;
  bool onlyPartial = chain.folds.size() == 1 && blocks.getSet() == tile::BlockSet::Partial;
  to = onlyPartial ? middle : end;
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
    copyTile(emit, load, map, stageOf(emit, *buffer++, stage), areValid(fold, load));
  }
}

/// Of a range: the block of `index`, which there is.
void BlockStages::copyAhead(PipelineBuilder &emit, tile::FoldOp fold, Value index,
                            Value stage) const {
  auto branch = emit.create<scf::IfOp>(emit.less(index, last), /*else=*/false);
  PipelineBuilder some(fold.getLoc(), branch.thenBlock(), branch.thenBlock()->begin());
  copyBlock(some, fold, some.create<arith::AddIOp>(index, some.i32(ahead())), stage);
}

Value BlockStages::nextStage(PipelineBuilder &emit, Value stage) const {
  Value next = emit.create<arith::AddIOp>(stage, emit.i32(1));
  if (count == 2)
    return emit.create<arith::XOrIOp>(stage, emit.i32(1));
  return emit.create<arith::SelectOp>(emit.less(stage, emit.i32(ahead())), next, emit.i32(0));
}

/// The one that was computed a block before, and is free.
Value BlockStages::stageBefore(PipelineBuilder &emit, Value stage) const {
  if (count == 2)
    return nextStage(emit, stage);
  Value before = emit.create<arith::SubIOp>(stage, emit.i32(1));
  return emit.create<arith::SelectOp>(emit.less(emit.i32(0), stage), before, emit.i32(ahead()));
}

BlockStages::Carried BlockStages::first(PipelineBuilder &emit) {
  if (!list && !copies())
    return {};
  Value zero = emit.i32(0);
  if (!list) {
    for (int i = 0; i < ahead(); ++i) {
      // The index whose turn would copy this block.
      copyAhead(emit, chain.first(), emit.create<arith::AddIOp>(from, emit.i32(i - ahead())),
                emit.i32(i));
      emit.create<warp::CommitOp>();
    }
    return {from, Value(), zero};
  }
  SmallVector<Type> columns(2, emit.getI32Type());
  auto branch = emit.create<scf::IfOp>(columns, emit.less(from, to), /*else=*/true);
  PipelineBuilder some(emit.getLoc(), branch.thenBlock(), branch.thenBlock()->begin());
  Value column = some.create<warp::BlockColumnOp>(list, from);
  copyBlock(some, chain.first(), column, zero);
  Value next = columnAt(some, some.create<arith::AddIOp>(from, some.i32(1)));
  some.create<scf::YieldOp>(ValueRange{column, next});
  PipelineBuilder none(emit.getLoc(), branch.elseBlock(), branch.elseBlock()->end());
  none.create<scf::YieldOp>(ValueRange{zero, zero});
  if (copies())
    emit.create<warp::CommitOp>();
  return {branch.getResult(0), branch.getResult(1), copies() ? zero : Value()};
}

BlockStages::Carried BlockStages::prefetch(PipelineBuilder &emit, tile::FoldOp fold, Value index,
                                           const Carried &now) {
  Carried after{.column = now.next, .next = {}, .stage = {}};
  if (copies())
    after.stage = nextStage(emit, now.stage);
  if (!list) {
    if (copies())
      copyAhead(emit, fold, index, stageBefore(emit, now.stage));
  } else {
    auto branch = emit.create<scf::IfOp>(emit.getI32Type(), emit.less(index, last), /*else=*/true);
    PipelineBuilder some(fold.getLoc(), branch.thenBlock(), branch.thenBlock()->begin());
    copyBlock(some, fold, now.next, after.stage);
    some.create<scf::YieldOp>(columnAt(some, some.create<arith::AddIOp>(index, some.i32(2))));
    PipelineBuilder none(fold.getLoc(), branch.elseBlock(), branch.elseBlock()->end());
    none.create<scf::YieldOp>(now.next);
    after.next = branch.getResult(0);
  }
  if (copies())
    emit.create<warp::CommitOp>();
  return after;
}

void BlockStages::mapFetched(PipelineBuilder &emit, tile::FoldOp fold, const Carried &now,
                             IRMapping &map) const {
  map.map(fold.getBlockIndex(), now.column);
  auto buffer = buffers.begin();
  for (Operation &op : fold.getFetch().front().without_terminator()) {
    auto load = dyn_cast<tile::LoadOp>(op);
    if (!load || isInRegisters(load)) {
      emit.clone(op, map);
      continue;
    }
    Value tile = stageOf(emit, *buffer++, now.stage);
    if (isSharedVector(load))
      tile = emit.create<warp::LoadVectorOp>(load.getResult().getType(), tile);
    map.map(load.getResult(), tile);
  }
}

} // namespace sparsec::sm80
