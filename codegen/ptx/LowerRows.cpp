// warp-to-llvm, token orders: from the number of a tile to the positions of its rows, as
// layout/OrderNumbers.h describes it.
#include "codegen/ptx/Lowering.h"

#include "codegen/common/LatticeTile.h"
#include "dialect/Orders.h"

using namespace mlir;

namespace sparsec {
namespace {

using tile::OrderKind;

struct RowsPattern : OpConversionPattern<tile::RowsOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::RowsOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
    tile::RowsType type = op.getRows().getType();
    SmallVector<Value> fields;
    switch (type.getOrder()) {
    case OrderKind::Natural:
      fields = {emit.multiply(adaptor.getTile(), type.getSize()), adaptor.getLength()};
      break;
    case OrderKind::Table: {
      Value place = emit.wide(emit.multiply(adaptor.getTile(), type.getSize()));
      fields = {emit.i32(0), adaptor.getLength(), emit.i32(0),
                emit.advance(adaptor.getNumbers(), emit.multiply(place, 4))};
      break;
    }
    default: {
      LatticeTile tile(emit, shapeOf(type.getOrder()), adaptor.getNumbers(), adaptor.getTile(),
                       type.getSize());
      // Of a tile without rows none is below the length.
      Value length = emit.select(tile.some, adaptor.getLength(), emit.i32(0));
      fields = {tile.first, length, tile.counts, tile.table};
    }
    }
    Value rows = emit.create<LLVM::PoisonOp>(getTypeConverter()->convertType(type));
    for (auto [i, field] : llvm::enumerate(fields))
      rows = emit.create<LLVM::InsertValueOp>(rows, field, ArrayRef<int64_t>{int64_t(i)});
    rewriter.replaceOp(op, rows);
    return success();
  }
};

struct RowsAtPattern : OpConversionPattern<tile::RowsAtOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::RowsAtOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
    SmallVector<Value> positions = emit.elements(adaptor.getPositions());
    if (positions.size() > size_t(kGatheredRows))
      return rewriter.notifyMatchFailure(op, "a thread has more rows than registers for them");
    positions.resize(kGatheredRows, emit.create<LLVM::PoisonOp>(emit.getI32Type()));
    Value rows = emit.create<LLVM::PoisonOp>(getTypeConverter()->convertType(op.getType()));
    rows = emit.create<LLVM::InsertValueOp>(rows, emit.pack(positions), ArrayRef<int64_t>{0});
    rows = emit.create<LLVM::InsertValueOp>(rows, adaptor.getCount(), ArrayRef<int64_t>{1});
    rewriter.replaceOp(op, rows);
    return success();
  }
};

struct PositionsPattern : OpConversionPattern<tile::PositionsOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::PositionsOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    auto type = cast<RankedTensorType>(op.getType());
    auto slice = dyn_cast_or_null<warp::SliceAttr>(type.getEncoding());
    if (!slice)
      return rewriter.notifyMatchFailure(op, "expected a slice");
    ThreadEmitter emit(op, rewriter);
    bool byRow = slice.getAxis() == warp::Axis::Rows;
    fragments::Fragment held = warp::fragmentOf(type);
    Value mine = byRow ? emit.firstRow(held) : emit.firstColumn(held);
    RowPositions rows(emit, op.getRows().getType(), adaptor.getRows(), &held);
    if (rows.isGathered() && !byRow)
      return rewriter.notifyMatchFailure(op, "gathered rows are not held by columns");
    SmallVector<Value> values;
    for (fragments::Coordinate place : held.registers)
      values.push_back(rows.position(mine, byRow ? place.row : place.column));
    rewriter.replaceOp(op, emit.pack(values));
    return success();
  }
};

} // namespace

RowPositions::Row RowPositions::at(Value row, int64_t constant) {
  Value first = emit.field(rows, 0), length = emit.field(rows, 1);
  if (isNatural()) {
    Value position = emit.add(emit.add(first, row), constant);
    return {position, emit.below(position, length)};
  }
  if (isGathered()) {
    auto found = llvm::find(registers, fragments::Coordinate{int(constant), 0});
    Value position = emit.element(first, found - registers.begin());
    Value exists = emit.bitAnd(emit.less(emit.add(row, constant), length),
                               emit.below(position, emit.i32(kNoPosition)));
    return {position, exists};
  }
  Value table = emit.field(rows, 3);
  // Not invariant: kept in registers for the whole loop they would be many.
  if (type.getOrder() == OrderKind::Table) {
    Value entry = emit.advance(table, emit.multiply(emit.wide(row), 4));
    Value position = emit.number(entry, constant, /*invariant=*/false);
    return {position, emit.below(position, length)};
  }
  Value entry = emit.advance(emit.advance(table, emit.multiply(emit.wide(row), 8)), 8 * constant);
  Value pair = emit.create<LLVM::LoadOp>(VectorType::get({2}, emit.getI32Type()), entry, 8);
  LatticeRow here =
      latticeRow(emit, first, emit.field(rows, 2), emit.element(pair, 0), emit.element(pair, 1));
  return {here.position, emit.bitAnd(here.inside, emit.below(here.position, length))};
}

Value RowPositions::position(Value row, int64_t constant) {
  Row here = at(row, constant);
  bool lattice = !isNatural() && type.getOrder() != OrderKind::Table;
  return lattice ? emit.select(here.exists, here.position, emit.i32(kNoPosition)) : here.position;
}

void populateRowPatterns(RewritePatternSet &patterns, const ThreadTypes &types) {
  patterns.add<RowsPattern, RowsAtPattern, PositionsPattern>(types, patterns.getContext());
}

} // namespace sparsec
