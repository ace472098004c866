// A layer whose weights are block-sparse: its kernels as tile programs. Live blocks have numbers,
// in the order of their rows:
//
//   w, 4 x 4 blocks      by rows                       by columns
//   0 . . 1              row_starts  0 2 3 5 6         column_starts  0 2 3 4 6
//   . 2 . .              row_of      0 0 1 2 2 3       column_places  (row, block) (0, 0) (2, 3)
//   3 . 4 .              column_of   0 3 1 0 2 3                      (1, 2) (2, 4) (0, 1) (3, 5)
//   . . . 5
//
//   y = x w^T     item: a tile of tokens x a row of blocks       folds the row's blocks
//   dx = dy w           a tile of tokens x a column of blocks    folds the column's blocks
//   dw = dy^T x         a live block                             folds tokens, all or a range
//
// Of a block at an edge the outputs and inputs that there are not read as 0.
#include "kernel/ops/SparseMatmul.h"

#include "dialect/ops/matmul/ProductWriter.h"

using namespace mlir;
using namespace sparsec::tile;

namespace sparsec::ops {
namespace {

class SparseProduct : ProductWriter {
public:
  template <class Op>
  SparseProduct(Op op, OpBuilder &builder)
      : ProductWriter(op.getLoc(), builder, op.getDtype(), int64_t(op.getTileTokens()),
                      int64_t(op.getBlockOut()), int64_t(op.getBlockIn()), /*stages=*/2),
        pattern(op.getPattern()), symbol(op.getSymName().str()) {}

  void forward(SparseMatmulOp op);
  void inputGradient(SparseMatmulInputGradientOp op);
  void weightGradient(SparseMatmulWeightGradientOp op);

private:
  void addBlocks(StringRef name, Type element) { addArgument(name, b.view(element, 2)); }
  void addNumbers(ArrayRef<StringRef> names) {
    for (StringRef name : names)
      addArgument(name, NumbersType::get(b.getContext()));
  }
  Value number(StringRef name, Value index) { return b.create<NumberOp>(argument(name), index); }
  /// Rows 0 .. of a block, those of which the axis has from the block's first one on.
  Value inBlock(Axis axis, Value index);
  Value loadBlock(StringRef name, Value block, Value row, Value column) {
    return b.load(argument(name), {block}, inBlock(Out, row), inBlock(In, column));
  }
  /// Where the pattern attends, of `rows` outputs and the inputs of a block.
  Value attended(Value rows, Value columns, int64_t count);
  Value sum(Value low, Value high, RankedTensorType type, bool lhsT, bool rhsT,
            llvm::function_ref<Values(Value)> fetch);
  void masked();
  void weightsOf(SparseMatmulWeightGradientOp op, bool ofRange);
  void sumOfRanges(SparseMatmulWeightGradientOp op);
  /// Into a block of dw, on top of what it holds where the launch says so.
  void storeBlock(Value dw, Value block);

  PatternAttr pattern;
  std::string symbol;
};

Value SparseProduct::inBlock(Axis axis, Value index) {
  Value left = minus(argument(kNames[axis]), times(index, b.i32(size[axis])));
  return b.rows(OrderKind::Natural, b.i32(0), left, Value(), size[axis]);
}

Value SparseProduct::attended(Value rows, Value columns, int64_t count) {
  return b.create<PredicateOp>(b.tensor({count, size[In]}, b.getI1Type()), pattern, b.i32(0),
                               b.positions(rows), b.positions(columns), argument("in"),
                               argument("out"), /*keys_first=*/false);
}

Value SparseProduct::sum(Value low, Value high, RankedTensorType type, bool lhsT, bool rhsT,
                         llvm::function_ref<Values(Value)> fetch) {
  auto step = [&](ValueRange fetched, ValueRange sums) {
    return Values{b.create<DotOp>(type, fetched[0], fetched[1], sums[0], lhsT, rhsT)};
  };
  return foldRange(low, high, {b.constant(type, 0)}, fetch, step)[0];
}

//===-- w with 0 where the pattern does not attend --------------------------------------------===//

/// An item is 16 rows of a block.
void SparseProduct::masked() {
  constexpr int64_t kRows = 16;
  addBlocks("w", dtype);
  addBlocks("masked", dtype);
  addNumbers({"row_of", "column_of"});
  writeItems(symbol + "_masked", {}, [&] {
    Value perBlock = b.i32(size[Out] / kRows);
    Value block = divide(item, perBlock), part = remainder(item, perBlock);
    Value row = number("row_of", block), column = number("column_of", block);
    Value first = times(row, perBlock);
    auto rows = [&](Value index, Value length) {
      return b.rows(OrderKind::Natural, index, length, Value(), kRows);
    };
    Value left = minus(argument("out"), times(row, b.i32(size[Out])));
    Value columns = inBlock(In, column);
    Value w = b.widen(b.load(argument("w"), {block}, rows(part, left), columns));
    Value attend = attended(rows(plus(first, part), argument("out")), rowsOf(In, column), kRows);
    Value zero = b.constant(cast<RankedTensorType>(w.getType()), 0);
    Value all = b.i32(size[Out]);
    b.store(b.convert(b.select(attend, w, zero), dtype), argument("masked"), {block},
            rows(part, all),
            b.rows(OrderKind::Natural, b.i32(0), b.i32(size[In]), Value(), size[In]));
  });
}

//===-- y = x w^T -----------------------------------------------------------------------------===//

void SparseProduct::forward(SparseMatmulOp op) {
  addMatrices({"x"}, dtype);
  addBlocks("w", dtype);
  addEpilogue(op);
  addNumbers({"row_starts", "column_of"});
  writeItems(symbol, {"across"}, [&] {
    Value row = remainder(item, argument("across"));
    Value rows = rowsOf(Tokens, divide(item, argument("across")));
    auto fetch = [&](Value block) {
      Value column = number("column_of", block);
      return Values{loadTile("x", rows, rowsOf(In, column)), loadBlock("w", block, row, column)};
    };
    Value u = sum(number("row_starts", row), number("row_starts", plus(row, b.i32(1))),
                  b.tensor({size[Tokens], size[Out]}, b.getF32Type()), false, true, fetch);
    finish(op, u, rows, rowsOf(Out, row));
  });
  masked();
}

//===-- dx = dy w -----------------------------------------------------------------------------===//

void SparseProduct::inputGradient(SparseMatmulInputGradientOp op) {
  addMatrices({"dy"}, dtype);
  addBlocks("w", dtype);
  if (op.getGelu())
    addMatrices({"u"}, dtype);
  addMatrices({"dx"}, dtype);
  addNumbers({"column_starts", "column_places"});
  writeItems(symbol, {"across", "prior_tokens"}, [&] {
    Value column = remainder(item, argument("across"));
    Value tile = divide(item, argument("across"));
    Value rows = rowsOf(Tokens, tile), columns = rowsOf(In, column);
    auto fetch = [&](Value place) {
      Value first = times(place, b.i32(2));
      Value row = number("column_places", first);
      Value block = number("column_places", plus(first, b.i32(1)));
      return Values{loadTile("dy", rows, rowsOf(Out, row)), loadBlock("w", block, row, column)};
    };
    Value dx = sum(number("column_starts", column), number("column_starts", plus(column, b.i32(1))),
                   b.tensor({size[Tokens], size[In]}, b.getF32Type()), false, false, fetch);
    if (op.getGelu())
      dx = throughGelu(dx, rows, columns);
    Value prior = rowsOf(Tokens, tile, argument("prior_tokens"));
    dx = b.add(dx, b.widen(loadTile("dx", prior, columns)));
    storeTile(dx, "dx", rows, columns);
  });
  masked();
}

//===-- dw = dy^T x ---------------------------------------------------------------------------===//

/// `prior_rows`: those of a block, or 0 where dw does not go on from what is there.
void SparseProduct::storeBlock(Value dw, Value block) {
  auto whole = [&](Axis axis, Value length) {
    return b.rows(OrderKind::Natural, b.i32(0), length, Value(), size[axis]);
  };
  Value columns = whole(In, b.i32(size[In]));
  Value before = b.load(argument("dw"), {block}, whole(Out, argument("prior_rows")), columns);
  Type type = cast<ViewType>(argument("dw").getType()).getElementType();
  b.store(b.convert(b.add(dw, b.widen(before)), type), argument("dw"), {block},
          whole(Out, b.i32(size[Out])), columns);
}

void SparseProduct::weightsOf(SparseMatmulWeightGradientOp op, bool ofRange) {
  addMatrices({"dy", "x"}, dtype);
  addBlocks(ofRange ? "parts" : "dw", ofRange ? b.getF32Type() : op.getWeights());
  addNumbers({"row_of", "column_of"});
  SmallVector<StringRef> numbers = {"steps"};
  if (ofRange)
    numbers.append({"live", "range_steps"});
  else
    numbers.push_back("prior_rows");
  writeItems(symbol + (ofRange ? "_part" : ""), numbers, [&] {
    Value block = ofRange ? remainder(item, argument("live")) : item;
    Value rows = rowsOf(Out, number("row_of", block));
    Value columns = rowsOf(In, number("column_of", block));
    Value low = b.i32(0), high = argument("steps");
    if (ofRange) {
      low = times(divide(item, argument("live")), argument("range_steps"));
      high = least(plus(low, argument("range_steps")), high);
    }
    auto fetch = [&](Value index) {
      Value tokens = rowsOf(Tokens, index);
      return Values{loadTile("dy", tokens, rows), loadTile("x", tokens, columns)};
    };
    RankedTensorType type = b.tensor({size[Out], size[In]}, b.getF32Type());
    Value dw = sum(low, high, type, true, false, fetch);
    dw = b.select(attended(rows, columns, size[Out]), dw, b.constant(type, 0));
    if (!ofRange)
      return storeBlock(dw, block);
    auto whole = [&](Axis axis) {
      return b.rows(OrderKind::Natural, b.i32(0), b.i32(size[axis]), Value(), size[axis]);
    };
    b.store(dw, argument("parts"), {item}, whole(Out), whole(In));
  });
}

/// A live block: the parts of all ranges.
void SparseProduct::sumOfRanges(SparseMatmulWeightGradientOp op) {
  addBlocks("parts", b.getF32Type());
  addBlocks("dw", op.getWeights());
  writeItems(symbol + "_sum", {"live", "ranges", "prior_rows"}, [&] {
    auto whole = [&](Axis axis) {
      return b.rows(OrderKind::Natural, b.i32(0), b.i32(size[axis]), Value(), size[axis]);
    };
    Value rows = whole(Out), columns = whole(In);
    auto fetch = [&](Value range) {
      Value part = plus(times(range, argument("live")), item);
      return Values{b.load(argument("parts"), {part}, rows, columns)};
    };
    auto step = [&](ValueRange part, ValueRange sum) { return Values{b.add(sum[0], part[0])}; };
    Value zero = b.constant(b.tensor({size[Out], size[In]}, b.getF32Type()), 0);
    storeBlock(foldRange(b.i32(0), argument("ranges"), {zero}, fetch, step)[0], item);
  });
}

void SparseProduct::weightGradient(SparseMatmulWeightGradientOp op) {
  weightsOf(op, /*ofRange=*/false);
  weightsOf(op, /*ofRange=*/true);
  sumOfRanges(op);
  if (op.getBias())
    biasGradient(symbol);
}

} // namespace

void SparseMatmulOp::buildKernels(OpBuilder &builder) {
  SparseProduct(*this, builder).forward(*this);
}
void SparseMatmulInputGradientOp::buildKernels(OpBuilder &builder) {
  SparseProduct(*this, builder).inputGradient(*this);
}
void SparseMatmulWeightGradientOp::buildKernels(OpBuilder &builder) {
  SparseProduct(*this, builder).weightGradient(*this);
}

void describe(OpBuilder &builder, const SparseMatmulRequest &request) {
  using Pass = MatmulRequest::Pass;
  MLIRContext *context = builder.getContext();
  auto flag = [&](bool set) { return set ? builder.getUnitAttr() : UnitAttr(); };
  auto type = [&](DType each) { return TypeAttr::get(elementType(context, each)); };
  auto number = [&](int size) { return builder.getI64IntegerAttr(size); };
  Location place = builder.getUnknownLoc();
  StringAttr name = builder.getStringAttr(request.entry);
  auto pattern = PatternAttr::get(context, sparsec::print(request.attend));
  TypeAttr dtype = type(request.dtype);
  IntegerAttr tokens = number(tokensOf(request)), out = number(request.block.q),
              in = number(request.block.k);
  switch (request.pass) {
  case Pass::Forward:
    SparseMatmulOp::create(builder, place, name, pattern, dtype, tokens, out, in,
                           type(request.stream), flag(request.bias), flag(request.gelu),
                           flag(request.save), flag(request.residual));
    return;
  case Pass::InputGradient:
    SparseMatmulInputGradientOp::create(builder, place, name, pattern, dtype, tokens, out, in,
                                        flag(request.gelu));
    return;
  case Pass::WeightGradient:
    SparseMatmulWeightGradientOp::create(builder, place, name, pattern, dtype, tokens, out, in,
                                         type(request.weights), flag(request.bias));
    return;
  }
}

} // namespace sparsec::ops
