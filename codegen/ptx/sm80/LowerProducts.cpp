// warp-to-llvm, products: ldmatrix and mma.sync for 16-bit elements, fused multiply-adds for f32.
#include "codegen/ptx/Lowering.h"

using namespace mlir;

namespace sparsec::sm80 {
namespace {

using fragments::kMmaColumns;
using fragments::kMmaDepth;
using fragments::kMmaRows;

/// The lane's row and chunk for ldmatrix over 16 x 16 areas, as matrixRowsDown (MatrixLoads.h);
/// `firstRow`, `firstChunk`: null for 0.
BufferAddress rowsDown(ThreadEmitter &emit, warp::BufferType type, Value buffer, Value firstRow,
                       Value firstChunk) {
  Value row = emit.remainder(emit.lane(), 16), chunk = emit.divide(emit.lane(), 16);
  return {emit, type, buffer, firstRow ? emit.add(firstRow, row) : row,
          firstChunk ? emit.add(firstChunk, chunk) : chunk};
}

/// As matrixRowsRight.
BufferAddress rowsRight(ThreadEmitter &emit, warp::BufferType type, Value buffer, Value firstRow,
                        Value firstChunk) {
  Value lane = emit.lane();
  Value row = emit.add(emit.remainder(lane, 8), emit.multiply(emit.divide(lane, 16), 8));
  Value chunk = emit.remainder(emit.divide(lane, 8), 2);
  return {emit, type, buffer, firstRow ? emit.add(firstRow, row) : row,
          firstChunk ? emit.add(firstChunk, chunk) : chunk};
}

/// Four 8 x 8 matrices, one register each.
SmallVector<Value> loadMatrices(ThreadEmitter &emit, Value address, bool transposed) {
  Value loaded = nvvm::loadMatrices(emit, address, transposed);
  SmallVector<Value> registers;
  for (int i = 0; i < 4; ++i)
    registers.push_back(emit.field(loaded, i));
  return registers;
}

struct LoadMatrixPattern : OpConversionPattern<warp::LoadMatrixOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(warp::LoadMatrixOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
    warp::BufferType type = op.getBuffer().getType();
    fragments::Fragment held = warp::fragmentOf(cast<RankedTensorType>(op.getType()));
    BufferAddress address =
        rowsDown(emit, type, adaptor.getBuffer(), emit.warpRow(held), /*firstChunk=*/Value());
    SmallVector<Value> registers;
    for (int row = 0; row < held.warpRows; row += kMmaRows)
      for (int depth = 0; depth < type.getColumns(); depth += kMmaDepth)
        registers.append(loadMatrices(emit, address.at(row, depth / 8), /*transposed=*/false));
    rewriter.replaceOp(op, emit.pack(registers));
    return success();
  }
};

/// One product of a warp: its rows and columns of the tile.
class Product {
public:
  Product(ThreadEmitter &emit, warp::MmaOp op, warp::MmaOp::Adaptor adaptor)
      : emit(emit), op(op), adaptor(adaptor), rhsType(op.getRhs().getType()),
        depth(op.getRhsT() ? rhsType.getColumns() : rhsType.getRows()),
        sums(emit.elements(adaptor.getAccumulator())) {
    auto type = cast<RankedTensorType>(op.getResult().getType());
    held = warp::fragmentOf(type);
    rows = held.warpRows;
    columns = int(type.getDimSize(1)) / held.warpsAcross;
  }

  Value byMma() {
    bool transposed = op.getRhsT(); // stored [column][depth]: what B wants
    BufferAddress rhs = rhsAddress();
    std::optional<BufferAddress> lhs;
    if (auto type = dyn_cast<warp::BufferType>(op.getLhs().getType()))
      lhs.emplace(op.getLhsT() // stored [depth][row]: eight of the warp's rows are a chunk
                      ? rowsRight(emit, type, adaptor.getLhs(), Value(), chunks(emit.warpRow(held)))
                      : rowsDown(emit, type, adaptor.getLhs(), emit.warpRow(held), Value()));
    // Depth outside: neighbouring products have different accumulators and do not wait for each
    // other.
    SmallVector<Value> whole;
    for (int k = 0; k < depth; k += kMmaDepth) {
      if (k && k % chainDepth() == 0)
        addChain(whole);
      SmallVector<SmallVector<Value>, 4> a;
      for (int row = 0; row < rows; row += kMmaRows)
        a.push_back(!lhs           ? heldLhs(row, k)
                    : op.getLhsT() ? loadMatrices(emit, lhs->at(k, row / 8), /*transposed=*/true)
                                   : loadMatrices(emit, lhs->at(row, k / 8), /*transposed=*/false));
      for (int n = 0; n < columns; n += 2 * kMmaColumns) {
        SmallVector<Value> b = transposed
                                   ? loadMatrices(emit, rhs.at(n, k / 8), /*transposed=*/false)
                                   : loadMatrices(emit, rhs.at(k, n / 8), /*transposed=*/true);
        for (auto [i, ofRows] : llvm::enumerate(a)) {
          int first = (int(i) * columns + n) / kMmaColumns;
          multiply(ofRows, {b[0], b[1]}, first);
          multiply(ofRows, {b[2], b[3]}, first + 1);
        }
      }
    }
    if (!whole.empty())
      addChain(whole);
    return emit.pack(whole.empty() ? sums : whole);
  }

  /// f32: rounding of products is what plain arithmetic does, no tf32.
  Value byFma() {
    bool depthContiguous = op.getRhsT() && !op.getLhsT();
    if (!isa<warp::BufferType>(op.getLhs().getType()))
      fromQuad();
    else if (depthContiguous)
      fromBuffers();
    else
      fromColumns();
    return emit.pack(sums);
  }

private:
  ThreadEmitter &emit;
  warp::MmaOp op;
  warp::MmaOp::Adaptor adaptor;
  warp::BufferType rhsType;
  int depth;
  SmallVector<Value> sums;
  fragments::Fragment held; ///< of the result
  int rows, columns;        ///< of a warp

  /// Columns, or rows of a transposed operand, as 16-byte chunks of 16-bit elements.
  Value chunks(Value elements) { return emit.divide(elements, 8); }

  BufferAddress rhsAddress() {
    Value first = held.warpsAcross == 1 ? Value() : emit.warpColumn(held);
    if (op.getRhsT())
      return rowsRight(emit, rhsType, adaptor.getRhs(), first, Value());
    return rowsDown(emit, rhsType, adaptor.getRhs(), Value(), first ? chunks(first) : Value());
  }

  /// Only scores are longer sums than one chain may be.
  int chainDepth() {
    return op.getRhsT() ? fragments::chainDepth(rhsType.getElement().isF16()) : depth;
  }

  /// Adds the chain so far to `whole` and starts the next at zero.
  void addChain(SmallVector<Value> &whole) {
    if (whole.empty()) {
      whole = sums;
    } else {
      for (auto [total, sum] : llvm::zip(whole, sums))
        total = emit.create<LLVM::FAddOp>(total, sum);
    }
    Type f32 = emit.getF32Type();
    Value zero = emit.create<LLVM::ConstantOp>(f32, FloatAttr::get(f32, 0));
    std::fill(sums.begin(), sums.end(), zero);
  }

  /// Of a left operand in registers.
  SmallVector<Value> heldLhs(int row, int k) {
    SmallVector<Value> a;
    for (int i = 0; i < 4; ++i)
      a.push_back(emit.element(adaptor.getLhs(), row / kMmaRows * depth / 4 + k / 4 + i));
    return a;
  }

  void multiply(ArrayRef<Value> a, ArrayRef<Value> b, int tile) {
    bool half = rhsType.getElement().isF16();
    auto pair = VectorType::get({2}, emit.getF16Type());
    auto operands = [&](ArrayRef<Value> registers) {
      SmallVector<Value> values(registers);
      if (half)
        for (Value &value : values)
          value = emit.create<LLVM::BitcastOp>(pair, value);
      return values;
    };
    Value mma = nvvm::multiplyMatrices(emit, operands(a), operands(b),
                                       ValueRange(sums).slice(4 * tile, 4), half);
    for (int i = 0; i < 4; ++i)
      sums[4 * tile + i] = emit.field(mma, i);
  }

  Value fma(Value a, Value b, Value c) { return emit.create<LLVM::FMAOp>(a, b, c); }

  /// One step of depth: every eighth of the lane's rows times two columns from `n` on.
  void addProducts(llvm::function_ref<Value(int row)> a, ArrayRef<Value> b, int n) {
    for (int row = 0; row < rows / 8; ++row)
      for (int column = 0; column < 2; ++column) {
        Value &sum = sums[(row / 2 * columns + n) / 2 + row % 2 * 2 + column];
        sum = fma(a(row), b[column], sum);
      }
  }

  /// Some f32 neighbours in shared memory.
  SmallVector<Value> load(Value address, int count) {
    Value loaded =
        emit.create<LLVM::LoadOp>(VectorType::get({count}, emit.getF32Type()), address, 4 * count);
    return emit.elements(loaded);
  }

  /// Both sides stored with the depth contiguous. From 128 on a loop over 128 bytes of it, as far
  /// as a swizzle reaches: all of it in a row is more code than the instruction cache holds, and
  /// slow to compile.
  void fromBuffers() {
    constexpr int kStep = 32;
    int steps = depth < 4 * kStep ? 0 : depth / kStep;
    if (steps) {
      auto loop = emit.create<scf::ForOp>(emit.i32(0), emit.i32(steps), emit.i32(1), sums);
      OpBuilder::InsertionGuard guard(emit);
      emit.setInsertionPointToStart(loop.getBody());
      Value skipped = emit.multiply(loop.getInductionVar(), 4 * kStep);
      llvm::copy(loop.getRegionIterArgs(), sums.begin());
      sumDepth(emit.add(adaptor.getLhs(), skipped), emit.add(adaptor.getRhs(), skipped), 0, kStep);
      emit.create<scf::YieldOp>(sums);
      llvm::copy(loop.getResults(), sums.begin());
    }
    sumDepth(adaptor.getLhs(), adaptor.getRhs(), steps * kStep, depth);
  }

  /// Steps [first, last) of the depth, four at a time.
  void sumDepth(Value lhsBuffer, Value rhsBuffer, int first, int last) {
    auto lhsType = cast<warp::BufferType>(op.getLhs().getType());
    fragments::LaneMap lanes = fragments::accumulator(kMmaColumns).lane;
    Value zero = emit.i32(0), row = emit.firstRow(held);
    Value column = emit.laneColumn(lanes);
    BufferAddress lhs(emit, lhsType, lhsBuffer, row, zero);
    BufferAddress left(emit, rhsType, rhsBuffer, column, zero);
    BufferAddress right(emit, rhsType, rhsBuffer, emit.add(column, 1), zero);
    for (int k = first; k < last; k += 4) {
      SmallVector<SmallVector<Value>, 4> a;
      for (int skipped = 0; skipped < rows; skipped += 8)
        a.push_back(load(lhs.at(skipped, k / 4), 4));
      for (int n = 0; n < columns; n += kMmaColumns) {
        SmallVector<Value> b[2] = {load(left.at(n, k / 4), 4), load(right.at(n, k / 4), 4)};
        for (int step = 0; step < 4; ++step)
          addProducts([&](int row) { return a[row][step]; }, {b[0][step], b[1][step]}, n);
      }
    }
  }

  /// Element (row, lane's place along it) of a buffer for rows that are constants: eight addresses,
  /// since a swizzle depends on the row modulo 8 only. `place`: of the lane's element in the row.
  class RowElements {
  public:
    RowElements(ThreadEmitter &emit, warp::BufferType type, Value buffer, Value place) {
      Value within = emit.multiply(emit.remainder(place, 4), 4), chunk = emit.divide(place, 4);
      Value base = emit.add(buffer, within);
      for (int row = 0; row < 8; ++row)
        rows.emplace_back(emit, type, base, emit.i32(row), chunk);
    }
    /// `skipped` elements to the right, a multiple of 4.
    Value at(int row, int skipped) { return rows[row % 8].at(row / 8 * 8, skipped / 4); }

  private:
    std::vector<BufferAddress> rows;
  };

  /// The left side is an accumulator: each step of depth lies in one lane of the quad.
  void fromQuad() {
    SmallVector<Value> held = emit.elements(adaptor.getLhs());
    fragments::LaneMap lanes = fragments::accumulator(kMmaColumns).lane;
    RowElements rhs(emit, rhsType, adaptor.getRhs(), emit.laneColumn(lanes));
    for (int k = 0; k < depth; ++k) {
      Value from = emit.i32(k % 8 / 2);
      Value a[2];
      for (int half = 0; half < 2; ++half)
        a[half] = emit.shuffleQuad(held[k / 8 * 4 + 2 * half + k % 2], from);
      for (int n = 0; n < columns; n += kMmaColumns) {
        SmallVector<Value> b = load(rhs.at(k, n), 2);
        for (int i = 0; i < 4; ++i) {
          Value &sum = sums[n / 2 + i];
          sum = fma(a[i / 2], b[i % 2], sum);
        }
      }
    }
  }

  /// Both sides in buffers, at least one of them stored with its rows or columns contiguous: four
  /// steps of the depth at a time, in a loop over as many as a swizzle repeats after.
  void fromColumns() {
    constexpr int kStep = 32;
    if (depth <= kStep || depth % kStep)
      return sumSteps(adaptor.getLhs(), adaptor.getRhs(), 0, depth);
    auto lhsType = cast<warp::BufferType>(op.getLhs().getType());
    auto loop = emit.create<scf::ForOp>(emit.i32(0), emit.i32(depth / kStep), emit.i32(1), sums);
    OpBuilder::InsertionGuard guard(emit);
    emit.setInsertionPointToStart(loop.getBody());
    llvm::copy(loop.getRegionIterArgs(), sums.begin());
    auto skipped = [&](Value buffer, int bytes) {
      return emit.add(buffer, emit.multiply(loop.getInductionVar(), bytes));
    };
    sumSteps(skipped(adaptor.getLhs(), kStep * (op.getLhsT() ? lhsType.getPitch() : 4)),
             skipped(adaptor.getRhs(), kStep * (op.getRhsT() ? 4 : rhsType.getPitch())), 0, kStep);
    emit.create<scf::YieldOp>(sums);
    llvm::copy(loop.getResults(), sums.begin());
  }

  void sumSteps(Value lhsBuffer, Value rhsBuffer, int first, int last) {
    auto lhsType = cast<warp::BufferType>(op.getLhs().getType());
    fragments::LaneMap lanes = fragments::accumulator(kMmaColumns).lane;
    Value zero = emit.i32(0), row = emit.firstRow(held);
    Value column = emit.laneColumn(lanes);
    std::optional<RowElements> lhsT, rhsN;
    std::optional<BufferAddress> lhsN, rhsT[2];
    if (op.getLhsT())
      lhsT.emplace(emit, lhsType, lhsBuffer, row);
    else
      lhsN.emplace(emit, lhsType, lhsBuffer, row, zero);
    if (op.getRhsT())
      for (int i = 0; i < 2; ++i)
        rhsT[i].emplace(emit, rhsType, rhsBuffer, emit.add(column, i), zero);
    else
      rhsN.emplace(emit, rhsType, rhsBuffer, column);
    for (int k = first; k < last; k += 4) {
      SmallVector<SmallVector<Value>, 4> a; // by row: four steps
      for (int skipped = 0; skipped < rows; skipped += 8) {
        a.push_back(lhsN ? load(lhsN->at(skipped, k / 4), 4) : SmallVector<Value>());
        for (int step = 0; lhsT && step < 4; ++step)
          a.back().push_back(load(lhsT->at(k + step, skipped), 1)[0]);
      }
      for (int n = 0; n < columns; n += kMmaColumns) {
        SmallVector<Value> b[4]; // by step: two columns
        if (rhsN)
          for (int step = 0; step < 4; ++step)
            b[step] = load(rhsN->at(k + step, n), 2);
        else
          for (int i = 0; i < 2; ++i)
            for (auto [step, value] : llvm::enumerate(load(rhsT[i]->at(n, k / 4), 4)))
              b[step].push_back(value);
        for (int step = 0; step < 4; ++step)
          addProducts([&](int row) { return a[row][step]; }, b[step], n);
      }
    }
  }
};

struct MmaPattern : OpConversionPattern<warp::MmaOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(warp::MmaOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
    bool wide = op.getRhs().getType().getElement().isF32();
    if (wide && !isa<warp::BufferType>(op.getLhs().getType()) && op.getRhsT())
      return rewriter.notifyMatchFailure(op, "f32 products of this form are not lowered yet");
    Product product(emit, op, adaptor);
    rewriter.replaceOp(op, wide ? product.byFma() : product.byMma());
    return success();
  }
};

} // namespace

void populateProductPatterns(RewritePatternSet &patterns, const ThreadTypes &types) {
  patterns.add<LoadMatrixPattern, MmaPattern>(types, patterns.getContext());
}

} // namespace sparsec::sm80
