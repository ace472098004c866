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

/// Where this thread's chunk of each pass comes from, and how many of its bytes there are (null:
/// all 16).
class RowSources {
public:
  RowSources(ThreadEmitter &emit, warp::CopyOp op, warp::CopyOp::Adaptor adaptor,
             const CopyShape &shape, Value row, Value chunk)
      : emit(emit), valid(op.getValid()), rowsPerPass(shape.rowsPerPass), row(row),
        rows(emit, op.getRows().getType(), adaptor.getRows()) {
    int64_t bytes = bytesOf(op.getBuffer().getType().getElement());
    rowBytes = emit.multiply(emit.field(adaptor.getView(), 3), bytes);
    // What does not depend on the rows first, so that it leaves the loop over blocks.
    start = headAddress(emit, adaptor.getView(), adaptor.getBatch(), adaptor.getHead(), bytes);
    Value chunkBytes = emit.wide(emit.multiply(chunk, 16));
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
      // The address of a row that does not exist is formed all the same.
      Value position = valid ? here.position : emit.select(here.exists, here.position, emit.i32(0));
      source = emit.advance(start, emit.multiply(emit.wide(position), rowBytes));
    }
    return {source, valid ? Value() : emit.select(here.exists, emit.i32(16), emit.i32(0))};
  }

private:
  ThreadEmitter &emit;
  bool valid;
  int rowsPerPass;
  Value row, rowBytes, start;
  SmallVector<Value> natural; ///< by pass, of rows that are neighbours
  RowPositions rows;
};

struct CopyPattern : OpConversionPattern<warp::CopyOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(warp::CopyOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
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
      if (skipped + shape.rowsPerPass > type.getRows()) {
        auto inside = emit.create<scf::IfOp>(emit.below(rowNow, emit.i32(type.getRows())),
                                             /*withElseRegion=*/false);
        emit.setInsertionPointToStart(inside.thenBlock());
      }
      auto [source, valid] = sources.at(pass);
      auto copy = [&, source = source, valid = valid](BufferAddress &to, int from) {
        for (int step = 0; step < shape.steps; ++step)
          nvvm::copyAsync(emit, to.at(from, step * shape.across),
                          emit.advance(source, 16 * step * shape.across), valid);
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
  patterns.add<CopyPattern, CommitPattern, WaitPattern>(types, patterns.getContext());
}

} // namespace sparsec::sm80
