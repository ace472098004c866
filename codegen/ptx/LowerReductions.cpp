// warp-to-llvm, reductions: a tree over the thread's own elements, exchanges between the lanes that
// share a row (or a column), and where a column lies in several warps an exchange through shared
// memory, which each warp's part goes through in the order of the warps: every thread gets the same
// sum, in every run.
#include "codegen/ptx/Lowering.h"

using namespace mlir;

namespace sparsec {
namespace {

using fragments::Coordinate;
using fragments::Fragment;

class Reduction {
public:
  Reduction(ThreadEmitter &emit, tile::ReduceOp op) : emit(emit), op(op) {}

  /// Of each row: all of it lies in one warp.
  SmallVector<Value> rows(const Fragment &tile, ArrayRef<Value> values) {
    SmallVector<Value> results;
    for (Coordinate row : fragments::rowsOf(tile).registers) {
      Value own = ofThread(tile, values, [&](Coordinate place) { return place.row == row.row; });
      results.push_back(ofLanes(own, 1, tile.lane.columnModulus));
    }
    return results;
  }

  /// Of each column.
  SmallVector<Value> columns(const Fragment &tile, ArrayRef<Value> values, int64_t columns) {
    Fragment each = fragments::columnsOf(tile);
    SmallVector<Value> results;
    for (Coordinate column : each.registers) {
      Value own =
          ofThread(tile, values, [&](Coordinate place) { return place.column == column.column; });
      results.push_back(ofLanes(own, tile.lane.columnModulus, 32));
    }
    if (emit.warps() > 1)
      ofWarps(results, each, columns, tile.lane.columnModulus);
    return results;
  }

  /// Of a vector along the columns or rows.
  Value vector(const Fragment &held, ArrayRef<Value> values) {
    Value own = ofThread(held, values, [](Coordinate) { return true; });
    if (!held.warpRows) // all columns lie in every warp
      return ofLanes(own, 1, held.lane.columnModulus);
    SmallVector<Value> result = {ofLanes(own, held.lane.rowDivisor, 32)};
    Fragment one{.lane = {1, 0, 1, 0}, .registers = {{0, 0}}, .warpRows = 0, .run = 1};
    if (emit.warps() > 1)
      ofWarps(result, one, 1, 1);
    return result[0];
  }

private:
  ThreadEmitter &emit;
  tile::ReduceOp op;

  Value combine(Value a, Value b) {
    bool floats = isa<FloatType>(a.getType());
    switch (op.getKind()) {
    case tile::ReduceKind::Max:
      return floats ? Value(emit.create<LLVM::MaxNumOp>(a, b)) : emit.most(a, b);
    case tile::ReduceKind::Sum:
      return floats ? Value(emit.create<LLVM::FAddOp>(a, b)) : emit.add(a, b);
    }
    llvm_unreachable("all kinds are listed");
  }

  Value ofThread(const Fragment &held, ArrayRef<Value> values,
                 llvm::function_ref<bool(Coordinate)> takes) {
    SmallVector<Value> level;
    for (auto [value, place] : llvm::zip(values, held.registers))
      if (takes(place))
        level.push_back(value);
    while (level.size() > 1) {
      SmallVector<Value> halves;
      for (size_t i = 0; i + 1 < level.size(); i += 2)
        halves.push_back(combine(level[i], level[i + 1]));
      if (level.size() % 2)
        halves.push_back(level.back());
      level = std::move(halves);
    }
    return level[0];
  }

  /// Of the lanes that differ in bits of their number from `first` to below `end`.
  Value ofLanes(Value value, int first, int end) {
    for (int mask = first; mask < end; mask *= 2)
      value = combine(value, emit.shuffleXor(value, mask));
    return value;
  }

  /// Of what all warps have of `count` columns, held as `each` says by lanes below `lanes`.
  void ofWarps(SmallVector<Value> &values, const Fragment &each, int64_t count, int lanes) {
    int64_t bytes = bytesOf(values[0].getType());
    auto offset = op->getAttrOfType<IntegerAttr>(warp::kScratchAttr);
    Value mine = emit.multiply(emit.laneColumn(each.lane), bytes);
    Value base = emit.add(mine, offset.getInt());
    auto runs = [&](llvm::function_ref<void(size_t, VectorType)> visit) {
      int run = int(std::min<int64_t>(each.run, 16 / bytes));
      for (size_t i = 0; i < values.size(); i += run)
        visit(i, VectorType::get({run}, values[0].getType()));
    };
    if (!op->hasAttr(warp::kFirstAttr))
      nvvm::barrier(emit); // everyone is done with what was exchanged before
    {
      OpBuilder::InsertionGuard guard(emit);
      emit.when(emit.below(emit.lane(), emit.i32(lanes)));
      Value to = emit.add(base, emit.multiply(emit.warp(), count * bytes));
      runs([&](size_t i, VectorType type) {
        Value part = emit.pack(ArrayRef(values).slice(i, type.getNumElements()));
        emit.create<LLVM::StoreOp>(part, emit.shared(to, each.registers[i].column * bytes),
                                   type.getNumElements() * bytes);
      });
    }
    nvvm::barrier(emit);
    if (count >= emit.threads() / 2)
      return ofColumns(values, each, count, base, runs);
    SmallVector<Value> sums;
    for (int warp = 0; warp < emit.warps(); ++warp)
      runs([&](size_t i, VectorType type) {
        Value from = emit.shared(base, (warp * count + each.registers[i].column) * bytes);
        Value part = emit.create<LLVM::LoadOp>(type, from, type.getNumElements() * bytes);
        for (auto [j, value] : llvm::enumerate(emit.elements(part)))
          if (warp == 0)
            sums.push_back(value);
          else
            sums[i + j] = combine(sums[i + j], value);
      });
    values = std::move(sums);
  }

  /// The same where there are many columns: each is summed by one thread and read by all that want
  /// it, since every thread would read what all warps have of its columns.
  template <class Runs>
  void ofColumns(SmallVector<Value> &values, const Fragment &each, int64_t count, Value base,
                 Runs &&runs) {
    Type type = values[0].getType();
    int64_t bytes = bytesOf(type);
    auto scratch = emit.i32(op->getAttrOfType<IntegerAttr>(warp::kScratchAttr).getInt());
    for (int64_t done = 0; done < count; done += emit.threads()) {
      OpBuilder::InsertionGuard guard(emit);
      Value column = emit.add(emit.thread(), done);
      if (done + emit.threads() > count)
        emit.when(emit.below(column, emit.i32(count)));
      Value place = emit.add(scratch, emit.multiply(column, bytes));
      Value sum;
      for (int warp = 0; warp < emit.warps(); ++warp) {
        Value part =
            emit.create<LLVM::LoadOp>(type, emit.shared(place, warp * count * bytes), bytes);
        sum = sum ? combine(sum, part) : part;
      }
      emit.create<LLVM::StoreOp>(sum, emit.shared(place), bytes);
    }
    nvvm::barrier(emit);
    SmallVector<Value> sums;
    runs([&](size_t i, VectorType run) {
      Value from = emit.shared(base, each.registers[i].column * bytes);
      Value part = emit.create<LLVM::LoadOp>(run, from, run.getNumElements() * bytes);
      sums.append(emit.elements(part));
    });
    values = std::move(sums);
  }
};

struct ReducePattern : OpConversionPattern<tile::ReduceOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::ReduceOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    auto source = cast<RankedTensorType>(op.getInput().getType());
    if (!source.getEncoding() || source.getElementTypeBitWidth() != 32)
      return rewriter.notifyMatchFailure(op, "expected an encoded tile of 32-bit elements");
    ThreadEmitter emit(op, rewriter);
    Reduction reduction(emit, op);
    SmallVector<Value> values = emit.elements(adaptor.getInput());
    Fragment held = warp::fragmentOf(source);
    if (source.getRank() == 1)
      rewriter.replaceOp(op, reduction.vector(held, values));
    else if (op.getDim() == 1)
      rewriter.replaceOp(op, emit.pack(reduction.rows(held, values)));
    else
      rewriter.replaceOp(op, emit.pack(reduction.columns(held, values, source.getDimSize(1))));
    return success();
  }
};

} // namespace

void populateReductionPatterns(RewritePatternSet &patterns, const ThreadTypes &types) {
  patterns.add<ReducePattern>(types, patterns.getContext());
}

} // namespace sparsec
