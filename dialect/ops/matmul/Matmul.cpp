// A dense layer: its kernels as tile programs.
//
// A product is cut into items of one tile of its result, which fold what they sum in chunks:
//
//   y = x w^T     item: a tile of tokens x a tile of out    chunk of in
//   dx = dy w           a tile of tokens x a tile of in     chunk of out
//   dw = dy^T x         a tile of out x a tile of in        chunk of tokens, all or those of a range
//
//   items of a result of 3 x 4 tiles      0  1  2  3     0  2  4  6     `across` = 4, `group` = 1
//                                         4  5  6  7     1  3  5  7     and 2: neighbours share
//                                         8  9 10 11     8  9 10 11     rows, and in a group columns
//
// Ranges of tokens leave their sums in f32, in rows of whole tiles of out one range after the
// other, and a second kernel adds them in order.
#include "kernel/ops/Matmul.h"

#include "dialect/ops/matmul/ProductWriter.h"

using namespace mlir;
using namespace sparsec::tile;

namespace sparsec::ops {
namespace {

class Product : ProductWriter {
public:
  template <class Op>
  Product(Op op, OpBuilder &builder)
      : ProductWriter(op.getLoc(), builder, op.getDtype(), int64_t(op.getTileTokens()),
                      int64_t(op.getTileOut()), int64_t(op.getTileIn()), int64_t(op.getStages())) {}

  void forward(MatmulOp op);
  void inputGradient(MatmulInputGradientOp op);
  void weightGradient(MatmulWeightGradientOp op);

private:
  /// The tile of an item, of those of a result.
  struct Place {
    Value down, across;
  };
  Place placeOf(Value tile, Value tiles);
  struct Operand {
    StringRef name;
    Value rows, columns; ///< null: the chunk
    bool transposed;     ///< in the product
  };
  /// lhs rhs over the chunks low .. high - 1 of an axis.
  Value sum(Axis axis, Value low, Value high, Operand lhs, Operand rhs, int64_t rows,
            int64_t columns);
  void weightsOf(MatmulWeightGradientOp op, bool ofRange);
  void sumOfRanges(MatmulWeightGradientOp op);
};

/// By groups of `group` rows of tiles, the last of which may have fewer, column by column in each.
Product::Place Product::placeOf(Value tile, Value tiles) {
  Value across = argument("across"), rows = argument("group");
  Value first = times(divide(tile, times(rows, across)), rows);
  Value inGroup = b.create<arith::SubIOp>(tile, times(first, across));
  Value left = b.create<arith::SubIOp>(divide(tiles, across), first);
  Value height = b.create<arith::MinSIOp>(rows, left);
  return {plus(first, remainder(inGroup, height)), divide(inGroup, height)};
}

Value Product::sum(Axis axis, Value low, Value high, Operand lhs, Operand rhs, int64_t rows,
                   int64_t columns) {
  RankedTensorType type = b.tensor({rows, columns}, b.getF32Type());
  auto fetch = [&](Value index) {
    Value chunk = rowsOf(axis, index);
    auto load = [&](const Operand &operand) {
      return loadTile(operand.name, operand.rows ? operand.rows : chunk,
                      operand.columns ? operand.columns : chunk);
    };
    return Values{load(lhs), load(rhs)};
  };
  auto step = [&](ValueRange fetched, ValueRange sums) {
    return Values{
        b.create<DotOp>(type, fetched[0], fetched[1], sums[0], lhs.transposed, rhs.transposed)};
  };
  return foldRange(low, high, {b.constant(type, 0)}, fetch, step)[0];
}

//===-- y = x w^T -----------------------------------------------------------------------------===//

void Product::forward(MatmulOp op) {
  addMatrices({"x", "w"}, dtype);
  addEpilogue(op);
  writeItems(op.getSymName(), {"across", "group", "steps"}, [&] {
    Place place = placeOf(item, argument("items"));
    Value rows = rowsOf(Tokens, place.down), columns = rowsOf(Out, place.across);
    Value u = sum(In, b.i32(0), argument("steps"), {"x", rows, Value(), false},
                  {"w", columns, Value(), true}, size[Tokens], size[Out]);
    finish(op, u, rows, columns);
  });
}

//===-- dx = dy w -----------------------------------------------------------------------------===//

void Product::inputGradient(MatmulInputGradientOp op) {
  addMatrices({"dy", "w"}, dtype);
  if (op.getGelu())
    addMatrices({"u"}, dtype);
  addMatrices({"dx"}, dtype);
  // Tokens, or 0 where dx does not go on from what is there.
  writeItems(op.getSymName(), {"across", "group", "steps", "prior_tokens"}, [&] {
    Place place = placeOf(item, argument("items"));
    Value rows = rowsOf(Tokens, place.down), columns = rowsOf(In, place.across);
    Value dx = sum(Out, b.i32(0), argument("steps"), {"dy", rows, Value(), false},
                   {"w", Value(), columns, false}, size[Tokens], size[In]);
    if (op.getGelu())
      dx = throughGelu(dx, rows, columns);
    Value prior = rowsOf(Tokens, place.down, argument("prior_tokens"));
    dx = b.add(dx, b.widen(loadTile("dx", prior, columns)));
    storeTile(dx, "dx", rows, columns);
  });
}

//===-- dw = dy^T x ---------------------------------------------------------------------------===//

/// Of all tokens, with what dw holds already; or of a range of steps, into its part.
void Product::weightsOf(MatmulWeightGradientOp op, bool ofRange) {
  addMatrices({"dy", "x"}, dtype);
  addMatrices({ofRange ? "parts" : "dw"}, ofRange ? b.getF32Type() : op.getWeights());
  SmallVector<StringRef> numbers = {"across", "group", "steps"};
  if (ofRange)
    numbers.append({"tiles", "range_steps", "part_rows"}); // tiles of dw
  else
    numbers.push_back("prior_out"); // out, or 0 where dw does not go on from what is there
  writeItems(op.getSymName() + (ofRange ? "_part" : ""), numbers, [&] {
    auto [down, across] = ofRange ? placeOf(remainder(item, argument("tiles")), argument("tiles"))
                                  : placeOf(item, argument("items"));
    Value rows = rowsOf(Out, down), columns = rowsOf(In, across);
    Value low = b.i32(0), high = argument("steps"), range;
    if (ofRange) {
      range = divide(item, argument("tiles"));
      low = times(range, argument("range_steps"));
      high = b.create<arith::MinSIOp>(plus(low, argument("range_steps")), high);
    }
    Value dw = sum(Tokens, low, high, {"dy", Value(), rows, true}, {"x", Value(), columns, false},
                   size[Out], size[In]);
    if (ofRange) {
      Value tilesDown = divide(argument("tiles"), argument("across"));
      Value place = plus(times(range, tilesDown), down);
      storeTile(dw, "parts", rowsOf(Out, place, argument("part_rows")), columns);
      return;
    }
    Value prior = rowsOf(Out, down, argument("prior_out"));
    storeTile(b.add(dw, b.widen(loadTile("dw", prior, columns))), "dw", rows, columns);
  });
}

/// A tile of dw: the parts of all ranges.
void Product::sumOfRanges(MatmulWeightGradientOp op) {
  addMatrices({"parts"}, b.getF32Type());
  addMatrices({"dw"}, op.getWeights());
  StringRef numbers[] = {"across", "tiles", "ranges", "part_rows", "prior_out"};
  writeItems(op.getSymName() + "_sum", numbers, [&] {
    Value down = divide(item, argument("across"));
    Value columns = rowsOf(In, remainder(item, argument("across")));
    Value tilesDown = divide(argument("tiles"), argument("across"));
    auto fetch = [&](Value range) {
      Value place = plus(times(range, tilesDown), down);
      return Values{loadTile("parts", rowsOf(Out, place, argument("part_rows")), columns)};
    };
    auto step = [&](ValueRange part, ValueRange sum) { return Values{b.add(sum[0], part[0])}; };
    Value prior = rowsOf(Out, down, argument("prior_out"));
    Value init = b.widen(loadTile("dw", prior, columns));
    Value dw = foldRange(b.i32(0), argument("ranges"), {init}, fetch, step)[0];
    storeTile(dw, "dw", rowsOf(Out, down), columns);
  });
}

void Product::weightGradient(MatmulWeightGradientOp op) {
  weightsOf(op, /*ofRange=*/false);
  weightsOf(op, /*ofRange=*/true);
  sumOfRanges(op);
  if (!op.getBias())
    return;
  biasGradient(op.getSymName());
}

} // namespace

void MatmulOp::buildKernels(OpBuilder &builder) {
  Product(*this, builder).forward(*this);
}
void MatmulInputGradientOp::buildKernels(OpBuilder &builder) {
  Product(*this, builder).inputGradient(*this);
}
void MatmulWeightGradientOp::buildKernels(OpBuilder &builder) {
  Product(*this, builder).weightGradient(*this);
}

void describe(OpBuilder &builder, const MatmulRequest &request) {
  using Pass = MatmulRequest::Pass;
  auto flag = [&](bool set) { return set ? builder.getUnitAttr() : UnitAttr(); };
  auto type = [&](DType each) { return TypeAttr::get(elementType(builder.getContext(), each)); };
  auto number = [&](int size) { return builder.getI64IntegerAttr(size); };
  MatmulRequest::Tile tile = tileOf(request);
  IntegerAttr stages = number(stagesOf(request));
  Location place = builder.getUnknownLoc();
  StringAttr name = builder.getStringAttr(request.entry);
  TypeAttr dtype = type(request.dtype);
  IntegerAttr tokens = number(tile.tokens), out = number(tile.out), in = number(tile.in);
  switch (request.pass) {
  case Pass::Forward:
    MatmulOp::create(builder, place, name, dtype, tokens, out, in, stages, type(request.stream),
                     flag(request.bias), flag(request.gelu), flag(request.save),
                     flag(request.residual));
    return;
  case Pass::InputGradient:
    MatmulInputGradientOp::create(builder, place, name, dtype, tokens, out, in, stages,
                                  flag(request.gelu));
    return;
  case Pass::WeightGradient:
    MatmulWeightGradientOp::create(builder, place, name, dtype, tokens, out, in, stages,
                                   type(request.weights), flag(request.bias));
    return;
  }
}

} // namespace sparsec::ops
