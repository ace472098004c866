// warp-to-llvm, memory: places in shared memory, loads to registers and stores from them. Those of
// tiles by columns: LowerColumns.cpp.
#include "codegen/ptx/Lowering.h"

using namespace mlir;

namespace sparsec {
namespace {

/// The rows of a tile, or of a vector along them, that this thread holds.
struct HeldRows {
  ThreadEmitter &emit;
  RowPositions rows;
  Value row; ///< the first one in the tile

  HeldRows(ThreadEmitter &emit, const fragments::Fragment &held, tile::RowsType type, Value rows)
      : emit(emit), rows(emit, type, rows, &held), row(emit.firstRow(held)) {}

  RowPositions::Row at(const fragments::Coordinate &place) { return rows.at(row, place.row); }

  /// Address of this thread's first column in a row; `stride`: of the rows.
  Value address(Value stride, Value base, Value position, const fragments::Fragment &held,
                int64_t bytes) {
    Value elements =
        emit.add(emit.multiply(emit.wide(position), stride), emit.wide(emit.firstColumn(held)));
    return emit.advance(base, emit.multiply(elements, bytes));
  }
};

/// The stride of a view's rows.
template <class Op>
Value rowStride(ThreadEmitter &emit, Op op, Value view) {
  return emit.field(view, op.getView().getType().getStrides());
}

/// Of the element of a vector at a position along an axis: side by side, or a stride apart.
template <class Op>
Value oneAddress(ThreadEmitter &emit, Op op, Value view, Value base, Value position) {
  auto type = op.getView().getType();
  Value elements = emit.wide(position);
  if (type.getStrides() > static_cast<int64_t>(op.getIndices().size()))
    elements = emit.multiply(elements, rowStride(emit, op, view));
  return emit.advance(base, emit.multiply(elements, bytesOf(type.getElementType())));
}

/// The elements of a thread that lie in one of its rows.
SmallVector<int64_t> indicesOf(const fragments::Fragment &held, int row) {
  SmallVector<int64_t> found;
  for (auto [i, place] : llvm::enumerate(held.registers))
    if (place.row == row)
      found.push_back(i);
  return found;
}

Type elementOf(tile::LoadOp load) {
  return load.getView().getType().getElementType();
}

/// A tile into registers, or a vector along its rows or columns. Rows that do not exist read as 0.
struct LoadPattern : OpConversionPattern<tile::LoadOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::LoadOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    auto type = cast<RankedTensorType>(op.getResult().getType());
    if (op.getColumns() || !type.getEncoding())
      return rewriter.notifyMatchFailure(op, "expected an encoded tile of whole rows");
    ThreadEmitter emit(op, rewriter);
    Value base = baseAddress(emit, adaptor.getView(), adaptor.getIndices(), bytesOf(elementOf(op)));
    auto slice = dyn_cast<warp::SliceAttr>(type.getEncoding());
    if (slice && slice.getAxis() == warp::Axis::Columns) {
      RowPositions rows(emit, op.getRows().getType(), adaptor.getRows());
      if (rows.isGathered())
        return rewriter.notifyMatchFailure(op, "gathered rows are not held by columns");
      rewriter.replaceOp(op, emit.pack(readColumns(emit, rows, base, elementOf(op), type)));
      return success();
    }
    fragments::Fragment fragment = warp::fragmentOf(type);
    HeldRows held(emit, fragment, op.getRows().getType(), adaptor.getRows());
    SmallVector<Value> values(fragment.registers.size());
    for (fragments::Coordinate place : fragments::rowsOf(fragment).registers) {
      SmallVector<int64_t> indices = indicesOf(fragment, place.row);
      RowPositions::Row row = held.at(place);
      SmallVector<Type> types(indices.size(), type.getElementType());
      auto branch = emit.create<scf::IfOp>(types, row.exists, /*else=*/true);
      {
        OpBuilder::InsertionGuard guard(emit);
        emit.setInsertionPointToStart(branch.thenBlock());
        if (type.getRank() == 2) {
          Value address = held.address(rowStride(emit, op, adaptor.getView()), base, row.position,
                                       fragment, bytesOf(elementOf(op)));
          emit.create<scf::YieldOp>(readRow(emit, address, elementOf(op), fragment, indices));
        } else {
          Value address = oneAddress(emit, op, adaptor.getView(), base, row.position);
          emit.create<scf::YieldOp>(readElements(emit, elementOf(op), address));
        }
        emit.setInsertionPointToStart(branch.elseBlock());
        Value zero = emit.create<LLVM::ZeroOp>(type.getElementType());
        emit.create<scf::YieldOp>(SmallVector<Value>(branch.getNumResults(), zero));
      }
      for (auto [index, value] : llvm::zip(indices, branch.getResults()))
        values[index] = value;
    }
    rewriter.replaceOp(op, emit.pack(values));
    return success();
  }

  /// A thread holds many columns: one branch for all of them. Where there are any rows, those that
  /// do not exist read the first one of the axis, which does.
  static SmallVector<Value> readColumns(ThreadEmitter &emit, RowPositions &rows, Value base,
                                        Type element, RankedTensorType type) {
    fragments::Fragment held = warp::fragmentOf(type);
    Value column = emit.firstColumn(held);
    Value zero = emit.create<LLVM::ZeroOp>(type.getElementType());
    int64_t bytes = bytesOf(element);
    auto read = [&] {
      SmallVector<Value> values;
      for (fragments::Coordinate place : held.registers) {
        RowPositions::Row row = rows.at(column, place.column);
        Value position = emit.wide(emit.orZero(row.exists, row.position));
        Value address = emit.advance(base, emit.multiply(position, bytes));
        Value value = sparsec::readElements(emit, element, address);
        values.push_back(emit.select(row.exists, value, zero));
      }
      return values;
    };
    auto none = [&] { return SmallVector<Value>(held.registers.size(), zero); };
    return emit.choose(rows.mayExist(), read, none);
  }

  /// Neighbouring columns at a time.
  static SmallVector<Value> readRow(ThreadEmitter &emit, Value address, Type element,
                                    const fragments::Fragment &held, ArrayRef<int64_t> indices) {
    int64_t bytes = bytesOf(element), width = std::min<int64_t>(held.run, 16 / bytes);
    SmallVector<Value> values;
    for (size_t i = 0; i < indices.size(); i += width) {
      Value from = emit.advance(address, bytes * held.registers[indices[i]].column);
      values.append(emit.elements(readElements(emit, VectorType::get({width}, element), from)));
    }
    return values;
  }
};

struct StorePattern : OpConversionPattern<tile::StoreOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::StoreOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    auto type = cast<RankedTensorType>(op.getValue().getType());
    if (op.getColumns() || !type.getEncoding())
      return rewriter.notifyMatchFailure(op, "expected an encoded tile of whole rows");
    ThreadEmitter emit(op, rewriter);
    fragments::Fragment fragment = warp::fragmentOf(type);
    HeldRows held(emit, fragment, op.getRows().getType(), adaptor.getRows());
    Value base =
        baseAddress(emit, adaptor.getView(), adaptor.getIndices(), bytesOf(type.getElementType()));
    for (auto [index, place] : llvm::enumerate(fragments::rowsOf(fragment).registers)) {
      auto [position, writes] = held.at(place);
      if (type.getRank() == 1) // one of the row's lanes
        writes = emit.create<LLVM::AndOp>(
            writes, emit.create<LLVM::ICmpOp>(
                        LLVM::ICmpPredicate::eq,
                        emit.bitAnd(emit.lane(), fragment.lane.columnModulus - 1), emit.i32(0)));
      OpBuilder::InsertionGuard guard(emit);
      emit.when(writes);
      if (type.getRank() == 1)
        storeOne(emit, emit.element(adaptor.getValue(), index),
                 oneAddress(emit, op, adaptor.getView(), base, position));
      else
        storeRow(emit, adaptor.getValue(), fragment, indicesOf(fragment, place.row),
                 held.address(rowStride(emit, op, adaptor.getView()), base, position, fragment,
                              bytesOf(type.getElementType())));
    }
    rewriter.eraseOp(op);
    return success();
  }

  static void storeOne(ThreadEmitter &emit, Value value, Value address) {
    emit.create<LLVM::StoreOp>(value, address, bytesOf(value.getType()));
  }

  /// Neighbouring columns at a time.
  static void storeRow(ThreadEmitter &emit, Value value, const fragments::Fragment &held,
                       ArrayRef<int64_t> indices, Value address) {
    int64_t bytes = bytesOf(cast<VectorType>(value.getType()).getElementType());
    auto width = std::min<int64_t>(held.run, 16 / bytes);
    for (size_t i = 0; i < indices.size(); i += width) {
      SmallVector<int32_t> order;
      for (int64_t j = 0; j < width; ++j)
        order.push_back(int32_t(indices[i] + j));
      Value run = emit.shuffle(value, order);
      if (bytes * width == 4)
        run = emit.create<LLVM::BitcastOp>(emit.getI32Type(), run);
      emit.create<LLVM::StoreOp>(
          run, emit.advance(address, bytes * held.registers[indices[i]].column), width * bytes);
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

/// By one thread; pipeline-folds has a barrier before it.
struct StoreScalarPattern : OpConversionPattern<tile::StoreScalarOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::StoreScalarOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
    OpBuilder::InsertionGuard guard(emit);
    emit.when(emit.equal(emit.thread(), 0));
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

Value baseAddress(ThreadEmitter &emit, Value view, ValueRange indices, int64_t elementBytes) {
  Value elements;
  for (auto [i, index] : llvm::enumerate(indices)) {
    Value part = emit.multiply(emit.wide(index), emit.field(view, int64_t(i) + 1));
    elements = elements ? emit.add(elements, part) : part;
  }
  Value start = emit.field(view, 0);
  return elements ? emit.advance(start, emit.multiply(elements, elementBytes)) : start;
}

Value readElements(ThreadEmitter &emit, Type type, Value address) {
  Type element = getElementTypeOrSelf(type);
  auto vector = dyn_cast<VectorType>(type);
  int64_t count = vector ? vector.getNumElements() : 1;
  Value value = emit.create<LLVM::LoadOp>(type, address, count * bytesOf(element));
  if (!element.isInteger(8) && !element.isInteger(16))
    return value;
  Type wide = emit.getI32Type();
  return emit.create<LLVM::ZExtOp>(vector ? Type(VectorType::get(vector.getShape(), wide)) : wide,
                                   value);
}

Value isAligned(ThreadEmitter &emit, Value view, tile::ViewType type, int64_t bytes) {
  Value bits = emit.create<LLVM::PtrToIntOp>(emit.getI64Type(), emit.field(view, 0));
  for (int64_t i = 0; i < type.getStrides(); ++i) {
    Value stride = emit.multiply(emit.field(view, i + 1), bytesOf(type.getElementType()));
    bits = emit.create<LLVM::OrOp>(bits, stride);
  }
  return emit.equal(emit.bitAnd(bits, bytes - 1), 0);
}

void populateMemoryPatterns(RewritePatternSet &patterns, const ThreadTypes &types) {
  patterns.add<LoadPattern, StorePattern, ScalarPattern, StoreScalarPattern, PresentPattern,
               AllocPattern, StagePattern, BarrierPattern>(types, patterns.getContext());
}

} // namespace sparsec
