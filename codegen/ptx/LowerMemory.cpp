// warp-to-llvm, memory: places in shared memory, loads to registers and stores from them.
#include "codegen/ptx/Lowering.h"

using namespace mlir;

namespace sparsec {
namespace {

/// The rows of an accumulator, or of a vector beside it, that this thread holds.
struct HeldRows {
  ThreadEmitter &emit;
  RowPositions rows;
  Value row; ///< the first one in the tile

  HeldRows(ThreadEmitter &emit, tile::RowsType type, Value rows)
      : emit(emit), rows(emit, type, rows),
        row(emit.add(emit.laneRow(fragments::accumulator(8).lane), emit.warpRow())) {}

  RowPositions::Row at(const fragments::Coordinate &place) { return rows.at(row, place.row); }

  /// Address of this thread's first column in a row of [batch, head].
  Value address(Value view, Value base, Value position, const fragments::Fragment &held,
                int64_t bytes) {
    Value elements = emit.add(emit.multiply(emit.wide(position), emit.field(view, 3)),
                              emit.wide(emit.laneColumn(held.lane)));
    return emit.advance(base, emit.multiply(elements, bytes));
  }
};

/// An element of a view, as tiles hold it: integers of fewer than 32 bits are unsigned and widened.
Value readElement(ThreadEmitter &emit, Type element, Value address) {
  Value value = emit.create<LLVM::LoadOp>(element, address, bytesOf(element));
  bool narrow = element.isInteger(8) || element.isInteger(16);
  return narrow ? emit.create<LLVM::ZExtOp>(emit.getI32Type(), value) : value;
}
Type elementOf(tile::LoadOp load) {
  return load.getView().getType().getElementType();
}

/// A tile into registers, as accumulators, their rows or their columns are held. Rows
/// that do not exist read as 0.
struct LoadPattern : OpConversionPattern<tile::LoadOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::LoadOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    auto type = cast<RankedTensorType>(op.getResult().getType());
    if (op.getIndices().size() != 2 || op.getColumns() || !type.getEncoding())
      return rewriter.notifyMatchFailure(op, "expected an encoded tile of [batch, head, rows]");
    ThreadEmitter emit(op, rewriter);
    Value base = headAddress(emit, adaptor.getView(), adaptor.getIndices()[0],
                             adaptor.getIndices()[1], bytesOf(elementOf(op)));
    auto slice = dyn_cast<warp::SliceAttr>(type.getEncoding());
    if (slice && slice.getAxis() == warp::Axis::Columns) {
      RowPositions rows(emit, op.getRows().getType(), adaptor.getRows());
      if (rows.isGathered())
        return rewriter.notifyMatchFailure(op, "gathered rows are not held by columns");
      rewriter.replaceOp(op, emit.pack(readColumns(emit, rows, base, elementOf(op), type)));
      return success();
    }
    HeldRows held(emit, op.getRows().getType(), adaptor.getRows());
    SmallVector<Value> values(warp::elementsPerThread(type));
    for (auto [half, place] : llvm::enumerate(fragments::rows().registers)) {
      RowPositions::Row row = held.at(place);
      auto branch = emit.create<scf::IfOp>(heldTypes(type), row.exists, /*else=*/true);
      {
        OpBuilder::InsertionGuard guard(emit);
        emit.setInsertionPointToStart(branch.thenBlock());
        emit.create<scf::YieldOp>(
            read(emit, held, op, adaptor.getView(), base, row.position, type, place.row));
        emit.setInsertionPointToStart(branch.elseBlock());
        Value zero = emit.create<LLVM::ZeroOp>(type.getElementType());
        emit.create<scf::YieldOp>(SmallVector<Value>(branch.getNumResults(), zero));
      }
      for (auto [index, value] : llvm::zip(indices(type, half, place.row), branch.getResults()))
        values[index] = value;
    }
    rewriter.replaceOp(op, emit.pack(values));
    return success();
  }

  /// A thread holds many columns: one branch for all of them. Where there are any rows, those that
  /// do not exist read the first one of the axis, which does.
  static SmallVector<Value> readColumns(ThreadEmitter &emit, RowPositions &rows, Value base,
                                        Type element, RankedTensorType type) {
    fragments::Fragment held = fragments::columns(type.getDimSize(0));
    Value column = emit.laneColumn(held.lane);
    Value zero = emit.create<LLVM::ZeroOp>(type.getElementType());
    int64_t bytes = bytesOf(element);
    auto read = [&] {
      SmallVector<Value> values;
      for (fragments::Coordinate place : held.registers) {
        RowPositions::Row row = rows.at(column, place.column);
        Value position = emit.wide(emit.select(row.exists, row.position, emit.i32(0)));
        Value address = emit.advance(base, emit.multiply(position, bytes));
        Value value = readElement(emit, element, address);
        values.push_back(emit.select(row.exists, value, zero));
      }
      return values;
    };
    auto none = [&] { return SmallVector<Value>(held.registers.size(), zero); };
    return emit.choose(rows.mayExist(), read, none);
  }

  /// The elements of a thread that lie in one of its rows.
  static SmallVector<int64_t> indices(RankedTensorType type, int64_t half, int row) {
    if (type.getRank() == 1)
      return {half};
    SmallVector<int64_t> found;
    fragments::Fragment held = fragments::accumulator(type.getDimSize(1));
    for (auto [i, place] : llvm::enumerate(held.registers))
      if (place.row == row)
        found.push_back(i);
    return found;
  }
  static SmallVector<Type> heldTypes(RankedTensorType type) {
    return SmallVector<Type>(type.getRank() == 1 ? 1 : type.getDimSize(1) / 4,
                             type.getElementType());
  }

  static SmallVector<Value> read(ThreadEmitter &emit, HeldRows &held, tile::LoadOp op, Value view,
                                 Value base, Value position, RankedTensorType type, int row) {
    Type element = elementOf(op);
    int64_t bytes = bytesOf(element);
    if (type.getRank() == 1)
      return {readElement(emit, element,
                          emit.advance(base, emit.multiply(emit.wide(position), bytes)))};
    fragments::Fragment fragment = fragments::accumulator(type.getDimSize(1));
    Value address = held.address(view, base, position, fragment, bytes);
    auto pairType = VectorType::get({2}, element);
    SmallVector<Value> values;
    // Two neighbouring columns at a time.
    for (size_t i = 0; i < fragment.registers.size(); i += 2)
      if (fragment.registers[i].row == row) {
        Value pair = emit.create<LLVM::LoadOp>(
            pairType, emit.advance(address, bytes * fragment.registers[i].column), 2 * bytes);
        values.append({emit.element(pair, 0), emit.element(pair, 1)});
      }
    return values;
  }
};

struct StorePattern : OpConversionPattern<tile::StoreOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::StoreOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    auto type = cast<RankedTensorType>(op.getValue().getType());
    if (op.getIndices().size() != 2 || op.getColumns() || !type.getEncoding())
      return rewriter.notifyMatchFailure(op, "expected an encoded tile of [batch, head, rows]");
    ThreadEmitter emit(op, rewriter);
    HeldRows held(emit, op.getRows().getType(), adaptor.getRows());
    Value base = headAddress(emit, adaptor.getView(), adaptor.getIndices()[0],
                             adaptor.getIndices()[1], bytesOf(type.getElementType()));
    for (auto [half, place] : llvm::enumerate(fragments::rows().registers)) {
      auto [position, writes] = held.at(place);
      if (type.getRank() == 1) // one lane of the quad
        writes = emit.create<LLVM::AndOp>(
            writes, emit.create<LLVM::ICmpOp>(LLVM::ICmpPredicate::eq, emit.bitAnd(emit.lane(), 3),
                                              emit.i32(0)));
      auto branch = emit.create<scf::IfOp>(writes, /*withElseRegion=*/false);
      OpBuilder::InsertionGuard guard(emit);
      emit.setInsertionPointToStart(branch.thenBlock());
      if (type.getRank() == 1)
        storeOne(emit, adaptor, base, position, half);
      else
        storeRow(emit, adaptor, type, held, base, position, place.row);
    }
    rewriter.eraseOp(op);
    return success();
  }

  static void storeOne(ThreadEmitter &emit, OpAdaptor adaptor, Value base, Value position,
                       int64_t index) {
    Value value = emit.element(adaptor.getValue(), index);
    int64_t bytes = bytesOf(value.getType());
    Value address = emit.advance(base, emit.multiply(emit.wide(position), bytes));
    emit.create<LLVM::StoreOp>(value, address, bytes);
  }

  /// Two neighbouring columns at a time.
  static void storeRow(ThreadEmitter &emit, OpAdaptor adaptor, RankedTensorType type,
                       HeldRows &rows, Value base, Value position, int row) {
    fragments::Fragment held = fragments::accumulator(type.getDimSize(1));
    int64_t bytes = bytesOf(type.getElementType());
    Value address = rows.address(adaptor.getView(), base, position, held, bytes);
    for (size_t i = 0; i < held.registers.size(); i += 2) {
      if (held.registers[i].row != row)
        continue;
      Value pair = emit.shuffle(adaptor.getValue(), {int32_t(i), int32_t(i + 1)});
      if (bytes == 2)
        pair = emit.create<LLVM::BitcastOp>(emit.getI32Type(), pair);
      emit.create<LLVM::StoreOp>(pair, emit.advance(address, bytes * held.registers[i].column),
                                 2 * bytes);
    }
  }
};

/// Of a view without strides.
Value scalarAddress(ThreadEmitter &emit, Value view, Value index, Type type) {
  return emit.advance(emit.field(view, 0), emit.multiply(emit.wide(index), bytesOf(type)));
}

struct ScalarPattern : OpConversionPattern<tile::ScalarOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::ScalarOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
    Value address = scalarAddress(emit, adaptor.getView(), adaptor.getIndex(), op.getType());
    rewriter.replaceOp(op, emit.create<LLVM::LoadOp>(op.getType(), address, bytesOf(op.getType())));
    return success();
  }
};

/// By one thread, once all have read what it may write over.
struct StoreScalarPattern : OpConversionPattern<tile::StoreScalarOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::StoreScalarOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
    nvvm::barrier(emit);
    auto branch = emit.create<scf::IfOp>(emit.equal(emit.thread(), 0), /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(emit);
    emit.setInsertionPointToStart(branch.thenBlock());
    Type type = op.getValue().getType();
    Value address = scalarAddress(emit, adaptor.getView(), adaptor.getIndex(), type);
    emit.create<LLVM::StoreOp>(adaptor.getValue(), address, bytesOf(type));
    rewriter.eraseOp(op);
    return success();
  }
};

struct PresentPattern : OpConversionPattern<warp::PresentOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(warp::PresentOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
    Value address =
        emit.create<LLVM::PtrToIntOp>(emit.getI64Type(), emit.field(adaptor.getView(), 0));
    rewriter.replaceOp(op,
                       emit.create<LLVM::ICmpOp>(LLVM::ICmpPredicate::ne, address, emit.i64(0)));
    return success();
  }
};

struct AllocPattern : OpConversionPattern<warp::AllocOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(warp::AllocOp op, OpAdaptor,
                                ConversionPatternRewriter &rewriter) const override {
    if (!op.getOffset())
      return op.emitOpError("has no place yet: allocate-shared comes first");
    ThreadEmitter emit(op, rewriter);
    rewriter.replaceOp(op, emit.i32(*op.getOffset()));
    return success();
  }
};

struct StagePattern : OpConversionPattern<warp::StageOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(warp::StageOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
    int64_t bytes = op.getBuffer().getType().stageBytes();
    rewriter.replaceOp(op, emit.add(adaptor.getBuffer(), emit.multiply(adaptor.getIndex(), bytes)));
    return success();
  }
};

struct BarrierPattern : OpConversionPattern<warp::BarrierOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(warp::BarrierOp op, OpAdaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
    nvvm::barrier(emit);
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

Value headAddress(ThreadEmitter &emit, Value view, Value batch, Value head, int64_t elementBytes) {
  Value elements = emit.add(emit.multiply(emit.wide(batch), emit.field(view, 1)),
                            emit.multiply(emit.wide(head), emit.field(view, 2)));
  return emit.advance(emit.field(view, 0), emit.multiply(elements, elementBytes));
}

void populateMemoryPatterns(RewritePatternSet &patterns, const ThreadTypes &types) {
  patterns.add<LoadPattern, StorePattern, ScalarPattern, StoreScalarPattern, PresentPattern,
               AllocPattern, StagePattern, BarrierPattern>(types, patterns.getContext());
}

} // namespace sparsec
