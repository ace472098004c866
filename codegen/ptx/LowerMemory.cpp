// warp-to-llvm, memory: asynchronous copies into shared memory, stores from registers, and the
// tables of a layout.
#include "codegen/ptx/Lowering.h"

using namespace mlir;

namespace sparsec {
namespace {

int64_t bytesOf(Type element) {
  return element.getIntOrFloatBitWidth() / 8;
}

/// Address of (batch, head, row 0) of a view: 64-bit arithmetic throughout.
Value headAddress(ThreadEmitter &emit, Value view, Value batch, Value head, int64_t elementBytes) {
  Value elements = emit.add(emit.multiply(emit.wide(batch), emit.field(view, 1)),
                            emit.multiply(emit.wide(head), emit.field(view, 2)));
  return emit.advance(emit.field(view, 0), emit.multiply(elements, elementBytes));
}

/// How the threads of a block share the 16-byte chunks of a tile: up to eight neighbours along a
/// row (128 bytes, a whole line), the rest down the rows, as many passes as it takes.
struct CopyShape {
  int across, rowsPerPass, steps, passes;

  CopyShape(warp::BufferType type, int threads) {
    int chunks = type.rowBytes() / 16;
    across = std::min(8, chunks & -chunks);
    steps = chunks / across;
    rowsPerPass = threads / across;
    passes = (type.getRows() + rowsPerPass - 1) / rowsPerPass;
  }
};

struct CopyPattern : OpConversionPattern<warp::CopyOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(warp::CopyOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
    warp::BufferType type = op.getBuffer().getType();
    CopyShape shape(type, emit.threads());
    int64_t bytes = bytesOf(type.getElement());
    Value row = emit.divide(emit.thread(), shape.across);
    Value chunk = emit.remainder(emit.thread(), shape.across);
    Value first = emit.field(adaptor.getRows(), 0), length = emit.field(adaptor.getRows(), 1);
    Value rowBytes = emit.multiply(emit.field(adaptor.getView(), 3), bytes);
    // What does not depend on the rows first, so that it leaves the loop over blocks.
    Value source =
        headAddress(emit, adaptor.getView(), adaptor.getBatch(), adaptor.getHead(), bytes);
    source = emit.advance(source, emit.add(emit.multiply(emit.wide(row), rowBytes),
                                           emit.wide(emit.multiply(chunk, 16))));
    source = emit.advance(source, emit.multiply(emit.wide(first), rowBytes));
    Value passBytes = emit.multiply(rowBytes, shape.rowsPerPass);
    Value position = emit.add(first, row);
    SmallVector<Value> sources = {source};
    while (int(sources.size()) < shape.passes)
      sources.push_back(emit.advance(sources.back(), passBytes));
    bool separable = shape.rowsPerPass % 8 == 0;
    BufferAddress whole(emit, type, adaptor.getBuffer(), row, chunk);
    for (int pass = 0; pass < shape.passes; ++pass) {
      int skipped = pass * shape.rowsPerPass;
      Value rowNow = emit.add(row, skipped);
      OpBuilder::InsertionGuard guard(emit);
      if (skipped + shape.rowsPerPass > type.getRows()) {
        auto inside = emit.create<scf::IfOp>(emit.below(rowNow, emit.i32(type.getRows())),
                                             /*withElseRegion=*/false);
        emit.setInsertionPointToStart(inside.thenBlock());
      }
      Value valid =
          op.getValid()
              ? Value()
              : emit.create<LLVM::SelectOp>(emit.below(emit.add(position, skipped), length),
                                            emit.i32(16), emit.i32(0));
      auto copy = [&](BufferAddress &to, int from) {
        for (int step = 0; step < shape.steps; ++step)
          emit.create<NVVM::CpAsyncOp>(to.at(from, step * shape.across),
                                       emit.advance(sources[pass], 16 * step * shape.across),
                                       emit.getI32IntegerAttr(16),
                                       NVVM::LoadCacheModifierKindAttr::get(
                                           emit.getContext(), NVVM::LoadCacheModifierKind::CG),
                                       valid);
      };
      if (separable) {
        copy(whole, skipped);
      } else {
        BufferAddress now(emit, type, adaptor.getBuffer(), rowNow, chunk);
        copy(now, 0);
      }
    }
    rewriter.eraseOp(op);
    return success();
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
    fragments::LaneMap lanes = fragments::accumulator(8).lane;
    Value row = emit.add(emit.laneRow(lanes), emit.warpRow());
    Value first = emit.field(adaptor.getRows(), 0), length = emit.field(adaptor.getRows(), 1);
    Value base = headAddress(emit, adaptor.getView(), adaptor.getIndices()[0],
                             adaptor.getIndices()[1], bytesOf(type.getElementType()));
    Value position = emit.add(first, row);
    for (auto [half, place] : llvm::enumerate(fragments::rows().registers)) {
      Value mine = emit.add(position, place.row);
      Value writes = emit.below(mine, length);
      if (type.getRank() == 1) // one lane of the quad
        writes = emit.create<LLVM::AndOp>(
            writes, emit.create<LLVM::ICmpOp>(LLVM::ICmpPredicate::eq, emit.bitAnd(emit.lane(), 3),
                                              emit.i32(0)));
      auto branch = emit.create<scf::IfOp>(writes, /*withElseRegion=*/false);
      OpBuilder::InsertionGuard guard(emit);
      emit.setInsertionPointToStart(branch.thenBlock());
      if (type.getRank() == 1)
        storeOne(emit, adaptor, base, mine, half);
      else
        storeRow(emit, adaptor, type, base, mine, place.row);
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
  static void storeRow(ThreadEmitter &emit, OpAdaptor adaptor, RankedTensorType type, Value base,
                       Value position, int row) {
    fragments::Fragment held = fragments::accumulator(type.getDimSize(1));
    int64_t bytes = bytesOf(type.getElementType());
    Value elements = emit.add(emit.multiply(emit.wide(position), emit.field(adaptor.getView(), 3)),
                              emit.wide(emit.laneColumn(held.lane)));
    Value address = emit.advance(base, emit.multiply(elements, bytes));
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

/// The tables are never written while a kernel runs.
Value loadTable(ThreadEmitter &emit, Value table, Value index, int64_t offset = 0) {
  Value address = emit.advance(table, emit.multiply(emit.wide(index), 4));
  auto load = emit.create<LLVM::LoadOp>(emit.getI32Type(), emit.advance(address, 4 * offset), 4);
  load.setInvariant(true);
  return load;
}

struct WorkPattern : OpConversionPattern<tile::WorkOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::WorkOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    if (op.getKind() != tile::WorkKind::Rows)
      return rewriter.notifyMatchFailure(op, "only rows of a layout are lowered yet");
    ThreadEmitter emit(op, rewriter);
    Value layout = adaptor.getItems();
    Value x = emit.create<NVVM::BlockIdXOp>(emit.getI32Type());
    Value y = emit.create<NVVM::BlockIdYOp>(emit.getI32Type());
    Value batch = emit.create<NVVM::BlockIdZOp>(emit.getI32Type());
    Value tables = emit.multiply(y, emit.field(layout, 5));
    Value row = loadTable(emit, emit.field(layout, 2), emit.add(tables, x));
    Value head = emit.add(emit.field(layout, 3), emit.multiply(y, emit.field(layout, 4)));
    rewriter.replaceOp(op, {batch, head, row, emit.add(tables, row)});
    return success();
  }
};

struct RowsPattern : OpConversionPattern<tile::RowsOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::RowsOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
    Value rows = emit.create<LLVM::PoisonOp>(getTypeConverter()->convertType(op.getType()));
    Value first = emit.multiply(adaptor.getTile(), op.getRows().getType().getSize());
    rows = emit.create<LLVM::InsertValueOp>(rows, first, ArrayRef<int64_t>{0});
    rows = emit.create<LLVM::InsertValueOp>(rows, adaptor.getLength(), ArrayRef<int64_t>{1});
    rewriter.replaceOp(op, rows);
    return success();
  }
};

struct BlockRowPattern : OpConversionPattern<warp::BlockRowOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(warp::BlockRowOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
    Value offsets = emit.field(adaptor.getLayout(), 0);
    // 2 * row in 64 bits.
    Value start = emit.advance(offsets, emit.multiply(emit.wide(adaptor.getRow()), 8));
    SmallVector<Value> bounds;
    for (int i = 0; i < 3; ++i)
      bounds.push_back(loadTable(emit, start, emit.i32(i)));
    rewriter.replaceOp(op, bounds);
    return success();
  }
};

struct BlockColumnPattern : OpConversionPattern<warp::BlockColumnOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(warp::BlockColumnOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
    rewriter.replaceOp(op, loadTable(emit, emit.field(adaptor.getLayout(), 1), adaptor.getIndex()));
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

template <class From, class To>
struct RenamePattern : OpConversionPattern<From> {
  using OpConversionPattern<From>::OpConversionPattern;
  LogicalResult matchAndRewrite(From op, typename From::Adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<To>(op);
    return success();
  }
};

struct WaitPattern : OpConversionPattern<warp::WaitOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(warp::WaitOp op, OpAdaptor,
                                ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<NVVM::CpAsyncWaitGroupOp>(op, op.getPendingAttr());
    return success();
  }
};

} // namespace

void populateMemoryPatterns(RewritePatternSet &patterns, const ThreadTypes &types) {
  patterns.add<CopyPattern, StorePattern, WorkPattern, RowsPattern, BlockRowPattern,
               BlockColumnPattern, PresentPattern, AllocPattern, StagePattern, WaitPattern,
               RenamePattern<warp::CommitOp, NVVM::CpAsyncCommitGroupOp>,
               RenamePattern<warp::BarrierOp, NVVM::Barrier0Op>>(types, patterns.getContext());
}

} // namespace sparsec
