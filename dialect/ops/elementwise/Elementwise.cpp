// Maps of matrices: their kernels as tile programs. An item is a tile of rows and columns:
//
//   100 rows, 1000 columns, tiles of 16 x 512     item    0  1  2  3 .. 13
//                                                 row     0  0  1  1 ..  6
//                                                 column  0  1  0  1 ..  1
#include "kernel/ops/Elementwise.h"
#include "dialect/ops/rows/RowWriter.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace sparsec::tile;

namespace sparsec::ops {

using Kind = ElementwiseRequest::Kind;

static std::optional<Kind> kindOf(StringRef text) {
  for (Kind each : {Kind::Cast, Kind::Gelu, Kind::GeluBackward, Kind::Dropout})
    if (std::string_view(text) == name(each))
      return each;
  return std::nullopt;
}

LogicalResult ElementwiseOp::verify() {
  if (kindOf(getKind()))
    return success();
  return emitOpError() << "expected cast, gelu, gelu_backward or dropout, found '" << getKind()
                       << "'";
}

namespace {

class Elementwise : RowWriter {
public:
  Elementwise(ElementwiseOp op, OpBuilder &builder)
      : RowWriter(op.getLoc(), builder,
                  {.rows = int(op.getTileRows()), .columns = int(op.getTileColumns())},
                  kMostRowWidth),
        op(op) {}

  void build();

private:
  Value load(StringRef name) { return loadMatrix(name, rows, columns); }
  Value sigmoid(Value x);
  Value gelu(Value x) { return b.multiply(x, sigmoid(x)); }
  Value geluGradient(Value x);
  Value dropout(Value x);

  ElementwiseOp op;
  Value columns;
};

void Elementwise::build() {
  Kind kind = *kindOf(op.getKind());
  addMatrix("x", op.getFrom());
  if (kind == Kind::GeluBackward)
    addMatrix("dy", op.getFrom());
  if (kind == Kind::Dropout)
    addMatrix("residual", op.getTo(), Optional::Yes);
  StringRef result = kind == Kind::GeluBackward ? "dx" : "y";
  addMatrix(result, op.getTo());
  if (kind == Kind::Dropout) {
    addVector("seed", b.getI64Type());
    addNumbers({"stream", "threshold", "residual_rows"}, {}); // rows, or 0 without a residual
  }
  if (kind == Kind::Dropout || kind == Kind::Cast)
    addNumbers({}, {"scale"});
  addNumbers({"items", "rows", "columns", "column_tiles"}, {});
  write(op.getSymName(), [&] {
    Value place = b.create<WorkOp>(WorkKind::Range, argument("items")).getResult(0);
    item = b.create<arith::DivUIOp>(place, argument("column_tiles"));
    rows = rowsWithin(argument("rows"));
    columns = b.rows(OrderKind::Natural, b.create<arith::RemUIOp>(place, argument("column_tiles")),
                     argument("columns"), Value(), tile.columns);
    Value x = load("x"), y;
    switch (kind) {
    case Kind::Cast:
      y = b.multiply(x, b.splat(argument("scale"), ofTile.getShape()));
      break;
    case Kind::Gelu:
      y = gelu(x);
      break;
    case Kind::GeluBackward:
      y = b.multiply(load("dy"), geluGradient(x));
      break;
    case Kind::Dropout:
      y = b.add(dropout(x), loadMatrix("residual", rowsWithin(argument("residual_rows")), columns));
      break;
    }
    storeTile(y, result, columns);
  });
}

/// Of 1.702 x.
Elementwise::Value Elementwise::sigmoid(Value x) {
  Value power = b.exp2(b.multiply(x, b.constant(ofTile, -1.702f * 1.4426950408889634f)));
  Value one = b.constant(ofTile, 1);
  return b.create<arith::DivFOp>(one, b.add(one, power));
}

Elementwise::Value Elementwise::geluGradient(Value x) {
  Value s = sigmoid(x), one = b.constant(ofTile, 1);
  Value slope = b.multiply(b.multiply(x, b.constant(ofTile, 1.702f)), b.subtract(one, s));
  return b.multiply(s, b.add(one, slope));
}

Elementwise::Value Elementwise::dropout(Value x) {
  auto wide = [&](int64_t value) -> Value {
    return b.create<arith::ConstantOp>(b.getI64IntegerAttr(value));
  };
  Value stream = b.create<arith::ExtUIOp>(b.getI64Type(), argument("stream"));
  Value step = b.create<arith::MulIOp>(stream, wide(int64_t(kStreamStep)));
  Value seed = b.create<arith::AddIOp>(b.scalar(argument("seed"), 0), step);
  Value bits = b.random(seed, b.positions(rows), b.positions(columns));
  Value kept = b.create<arith::CmpIOp>(arith::CmpIPredicate::uge, bits,
                                       b.splat(argument("threshold"), ofTile.getShape()));
  Value scaled = b.multiply(x, b.splat(argument("scale"), ofTile.getShape()));
  return b.select(kept, scaled, b.constant(ofTile, 0));
}

} // namespace

void ElementwiseOp::buildKernels(OpBuilder &builder) {
  Elementwise(*this, builder).build();
}

void describe(OpBuilder &builder, const ElementwiseRequest &request) {
  RowTile tile = request.tile();
  auto type = [&](DType each) { return TypeAttr::get(elementType(builder.getContext(), each)); };
  ElementwiseOp::create(builder, builder.getUnknownLoc(), builder.getStringAttr(request.entry),
                        builder.getStringAttr(std::string(name(request.kind))), type(request.from),
                        type(request.to), builder.getI64IntegerAttr(tile.rows),
                        builder.getI64IntegerAttr(tile.columns));
}

} // namespace sparsec::ops
