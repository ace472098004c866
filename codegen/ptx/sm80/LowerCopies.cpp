// warp-to-llvm, copies into shared memory: every thread of the block copies its share by cp.async,
// and groups of them are waited for.
#include "codegen/ptx/Lowering.h"

using namespace mlir;

namespace sparsec::sm80 {
namespace {

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

/// Where this thread's chunks of each pass come from, and how many of their bytes there are (null:
/// all 16).
class RowSources {
public:
  RowSources(ThreadEmitter &emit, warp::CopyOp op, warp::CopyOp::Adaptor adaptor,
             const CopyShape &shape, Value row, Value chunk)
      : emit(emit), valid(op.getValid()), rowsPerPass(shape.rowsPerPass), row(row),
        rows(emit, op.getRows().getType(), adaptor.getRows()) {
    int64_t bytes = bytesOf(op.getBuffer().getType().getElement());
    rowBytes =
        emit.multiply(emit.field(adaptor.getView(), op.getView().getType().getStrides()), bytes);
    // What does not depend on the rows first, so that it leaves the loop over blocks.
    start = baseAddress(emit, adaptor.getView(), adaptor.getIndices(), bytes);
    Value chunkBytes = emit.wide(emit.multiply(chunk, 16));
    if (Value columns = adaptor.getColumns()) {
      Value skipped = emit.multiply(emit.field(columns, 0), bytes);
      chunkBytes = emit.add(emit.wide(skipped), chunkBytes);
      Value whole = emit.subtract(emit.field(columns, 1), emit.field(columns, 0));
      bytesLeft = emit.subtract(emit.multiply(whole, bytes), emit.multiply(chunk, 16));
    }
    if (!rows.isNatural()) {
      start = emit.advance(start, chunkBytes);
      return;
    }
    start = emit.advance(start, emit.add(emit.multiply(emit.wide(row), rowBytes), chunkBytes));
    Value first = emit.field(adaptor.getRows(), 0);
    start = emit.advance(start, emit.multiply(emit.wide(first), rowBytes));
    Value passBytes = emit.multiply(rowBytes, rowsPerPass);
    natural.push_back(start);
    while (int(natural.size()) < shape.passes)
      natural.push_back(emit.advance(natural.back(), passBytes));
  }

  std::pair<Value, Value> at(int pass) {
    RowPositions::Row here = rows.at(row, pass * rowsPerPass);
    Value source = start;
    if (rows.isNatural()) {
      source = natural[pass];
    } else {
      Value position = valid ? here.position : emit.orZero(here.exists, here.position);
      source = emit.advance(start, emit.multiply(emit.wide(position), rowBytes));
    }
    if (valid)
      return {source, Value()};
    return {source, bytesLeft ? here.exists : emit.orZero(here.exists, emit.i32(16))};
  }
  /// Of a chunk `skipped` bytes to the right, given what at() says of its row.
  Value validBytes(Value ofRow, int skipped) {
    if (!bytesLeft)
      return ofRow;
    Value left = emit.subtract(bytesLeft, emit.i32(skipped));
    Value some = emit.most(emit.least(left, emit.i32(16)), emit.i32(0));
    return emit.orZero(ofRow, some);
  }

private:
  ThreadEmitter &emit;
  bool valid;
  int rowsPerPass;
  Value row, rowBytes, start;
  Value bytesLeft; ///< from the chunk to the end of the columns; null where all of them are copied
  SmallVector<Value> natural; ///< by pass, of rows that are neighbours
  RowPositions rows;
};

/// A tile by columns whose rows may lie on any address: element after element, f32 by cp.async,
/// what is smaller through registers.
class ElementCopies {
public:
  ElementCopies(ThreadEmitter &emit, warp::CopyOp op, warp::CopyOp::Adaptor adaptor)
      : emit(emit), type(op.getBuffer().getType()), buffer(adaptor.getBuffer()),
        bytes(bytesOf(type.getElement())), rows(emit, op.getRows().getType(), adaptor.getRows()) {
    base = baseAddress(emit, adaptor.getView(), adaptor.getIndices(), bytes);
    rowBytes =
        emit.multiply(emit.field(adaptor.getView(), op.getView().getType().getStrides()), bytes);
    firstColumn = emit.field(adaptor.getColumns(), 0);
    columns = emit.field(adaptor.getColumns(), 1);
  }

  /// Four at a time, so that what goes through registers is waited for once.
  void run() {
    constexpr int kTogether = 4;
    int all = type.getRows() * type.getColumns(), step = kTogether * emit.threads();
    auto loop = emit.create<scf::ForOp>(emit.i32(0), emit.i32(all), emit.i32(step));
    OpBuilder::InsertionGuard guard(emit);
    emit.setInsertionPointToStart(loop.getBody());
    Value first = emit.add(loop.getInductionVar(), emit.thread());
    SmallVector<Element> elements;
    for (int i = 0; i < kTogether; ++i)
      elements.push_back(find(emit.add(first, i * emit.threads()), all % step != 0));
    if (bytes == 4) {
      for (const Element &each : elements)
        copy(each, [&] {
          nvvm::copyAsync(emit, each.to, each.from, emit.orZero(each.exists, emit.i32(4)), 4);
        });
      return;
    }
    Type integer = emit.getIntegerType(8 * bytes);
    SmallVector<Value> values;
    for (const Element &each : elements)
      values.push_back(emit.choose(
          each.exists,
          [&]() -> SmallVector<Value> {
            return {emit.create<LLVM::LoadOp>(integer, each.from, bytes)};
          },
          [&]() -> SmallVector<Value> { return {emit.create<LLVM::ZeroOp>(integer)}; })[0]);
    for (auto [each, value] : llvm::zip(elements, values))
      copy(each,
           [&, value = value, to = each.to] { emit.create<LLVM::StoreOp>(value, to, bytes); });
  }

private:
  struct Element {
    Value from, to, exists;
    Value inside; ///< of the tile; null: it is
  };
  ThreadEmitter &emit;
  warp::BufferType type;
  Value buffer;
  int64_t bytes;
  RowPositions rows;
  Value base, rowBytes, firstColumn, columns;

  Element find(Value index, bool mayEnd) {
    Value row = emit.divide(index, type.getColumns());
    Value column = emit.remainder(index, type.getColumns());
    RowPositions::Row at = rows.at(row);
    Value there = emit.add(firstColumn, column);
    Element each;
    each.exists = emit.bitAnd(at.exists, emit.below(there, columns));
    if (mayEnd) {
      each.inside = emit.below(index, emit.i32(type.getRows() * type.getColumns()));
      each.exists = emit.bitAnd(each.exists, each.inside);
    }
    Value place = emit.add(emit.multiply(emit.wide(at.position), rowBytes),
                           emit.multiply(emit.wide(there), bytes));
    // What does not exist is not read, but its address is formed.
    each.from = emit.advance(base, emit.orZero(each.exists, place));
    Value offset = emit.multiply(column, bytes), chunk = emit.divide(offset, 16);
    if (type.getSwizzle())
      chunk = emit.bitXor(chunk, emit.bitAnd(row, 7));
    Value inRow = emit.add(emit.multiply(chunk, 16), emit.bitAnd(offset, 15));
    each.to = emit.shared(emit.add(buffer, emit.add(emit.multiply(row, type.getPitch()), inRow)));
    return each;
  }

  void copy(const Element &each, llvm::function_ref<void()> write) {
    OpBuilder::InsertionGuard guard(emit);
    if (each.inside)
      emit.when(each.inside);
    write();
  }
};

struct CopyPattern : OpConversionPattern<warp::CopyOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(warp::CopyOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
    if (op.getColumns()) {
      Value aligned = isAligned(emit, adaptor.getView(), op.getView().getType(), 16);
      emit.choose(
          aligned, [&] { return copyChunks(emit, op, adaptor), SmallVector<Value>(); },
          [&] { return ElementCopies(emit, op, adaptor).run(), SmallVector<Value>(); });
    } else {
      copyChunks(emit, op, adaptor);
    }
    rewriter.eraseOp(op);
    return success();
  }

  static void copyChunks(ThreadEmitter &emit, warp::CopyOp op, OpAdaptor adaptor) {
    warp::BufferType type = op.getBuffer().getType();
    CopyShape shape(type, emit.threads());
    Value row = emit.divide(emit.thread(), shape.across);
    Value chunk = emit.remainder(emit.thread(), shape.across);
    RowSources sources(emit, op, adaptor, shape, row, chunk);
    bool separable = shape.rowsPerPass % 8 == 0;
    BufferAddress whole(emit, type, adaptor.getBuffer(), row, chunk);
    for (int pass = 0; pass < shape.passes; ++pass) {
      int skipped = pass * shape.rowsPerPass;
      Value rowNow = emit.add(row, skipped);
      OpBuilder::InsertionGuard guard(emit);
      if (skipped + shape.rowsPerPass > type.getRows())
        emit.when(emit.below(rowNow, emit.i32(type.getRows())));
      auto [source, ofRow] = sources.at(pass);
      auto copy = [&, source = source, ofRow = ofRow](BufferAddress &to, int from) {
        for (int step = 0; step < shape.steps; ++step) {
          int skippedBytes = 16 * step * shape.across;
          nvvm::copyAsync(emit, to.at(from, step * shape.across),
                          emit.advance(source, skippedBytes),
                          sources.validBytes(ofRow, skippedBytes));
        }
      };
      if (separable) {
        copy(whole, skipped);
      } else {
        BufferAddress now(emit, type, adaptor.getBuffer(), rowNow, chunk);
        copy(now, 0);
      }
    }
  }
};

struct CopyVectorPattern : OpConversionPattern<warp::CopyVectorOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(warp::CopyVectorOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
    constexpr int64_t kBytes = 4;
    RowPositions rows(emit, op.getRows().getType(), adaptor.getRows());
    Value base = baseAddress(emit, adaptor.getView(), adaptor.getIndices(), kBytes);
    int size = op.getBuffer().getType().getColumns();
    for (int done = 0; done < size; done += emit.threads()) {
      OpBuilder::InsertionGuard guard(emit);
      Value place = emit.add(emit.thread(), done);
      if (done + emit.threads() > size)
        emit.when(emit.below(place, emit.i32(size)));
      RowPositions::Row row = rows.at(place);
      Value position = emit.wide(emit.orZero(row.exists, row.position));
      nvvm::copyAsync(emit,
                      emit.shared(emit.add(adaptor.getBuffer(), emit.multiply(place, kBytes))),
                      emit.advance(base, emit.multiply(position, kBytes)),
                      emit.orZero(row.exists, emit.i32(kBytes)), kBytes);
    }
    rewriter.eraseOp(op);
    return success();
  }
};

struct LoadVectorPattern : OpConversionPattern<warp::LoadVectorOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(warp::LoadVectorOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
    fragments::Fragment held = warp::fragmentOf(cast<RankedTensorType>(op.getType()));
    Value first = emit.add(adaptor.getBuffer(), emit.multiply(emit.firstColumn(held), 4));
    SmallVector<Value> values;
    for (size_t i = 0; i < held.registers.size(); i += held.run) {
      Value run =
          emit.create<LLVM::LoadOp>(VectorType::get({held.run}, emit.getF32Type()),
                                    emit.shared(first, 4 * held.registers[i].column), 4 * held.run);
      values.append(emit.elements(run));
    }
    rewriter.replaceOp(op, emit.pack(values));
    return success();
  }
};

struct CommitPattern : OpConversionPattern<warp::CommitOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(warp::CommitOp op, OpAdaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
    nvvm::commitCopies(emit);
    rewriter.eraseOp(op);
    return success();
  }
};

struct WaitPattern : OpConversionPattern<warp::WaitOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(warp::WaitOp op, OpAdaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
    nvvm::waitForCopies(emit, op.getPending());
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void populateCopyPatterns(RewritePatternSet &patterns, const ThreadTypes &types) {
  patterns.add<CopyPattern, CopyVectorPattern, LoadVectorPattern, CommitPattern, WaitPattern>(
      types, patterns.getContext());
}

} // namespace sparsec::sm80
