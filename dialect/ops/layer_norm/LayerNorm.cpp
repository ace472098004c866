// Layer norm: its kernels as tile programs.
//
//   forward    mean, then the mean square of what is centred by it, then y
//   dx         two means of each row, then dx and the tile's part of dgain and dbias
//   sums       dgain and dbias of a tile of columns: the parts, so many at a time
#include "kernel/ops/LayerNorm.h"
#include "dialect/ops/rows/RowWriter.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace sparsec::tile;

namespace sparsec::ops {
namespace {

class LayerNorm : RowWriter {
public:
  LayerNorm(LayerNormOp op, OpBuilder &builder)
      : RowWriter(op.getLoc(), builder,
                  {.rows = int(op.getTileRows()), .columns = int(op.getTileColumns())},
                  op.getColumns()),
        op(op) {}

  void forward();
  void gradient();
  void sums();

private:
  void forwardBody();
  void gradientBody();
  void sumsBody();
  Value perWidth(Value sum) { // a mean
    return b.multiply(sum, b.constant(perRow, 1.0f / float(width)));
  }
  Value sumOfColumns(Value matrix) { return b.reduceColumns(ReduceKind::Sum, matrix); }

  LayerNormOp op;
};

void LayerNorm::forward() {
  addMatrix("x", op.getStream());
  for (StringRef name : {"gain", "bias"})
    addVector(name, b.getF32Type());
  addMatrix("y", op.getDtype());
  for (StringRef name : {"mean", "rstd"})
    addVector(name, b.getF32Type(), Optional::Yes);
  addNumbers({}, {"epsilon"});
  writeRows(op.getSymName(), [&] { forwardBody(); });
}

void LayerNorm::forwardBody() {
  auto fetchX = [&](Value columns) { return Values{loadTile("x", columns)}; };
  Value zero = b.constant(perRow, 0);
  Value sum = foldColumns({zero}, fetchX, [&](Value, ValueRange x, ValueRange sum) {
    return Values{b.add(sum[0], sumOfRows(x[0]))};
  })[0];
  Value mean = perWidth(sum);
  Value squares = foldColumns({zero}, fetchX, [&](Value columns, ValueRange x, ValueRange sum) {
    Value centred = whereColumns(columns, b.subtract(x[0], mean), 0);
    return Values{b.add(sum[0], sumOfRows(b.multiply(centred, centred)))};
  })[0];
  Value variance = b.add(perWidth(squares), b.splat(argument("epsilon"), {tile.rows}));
  Value rstd = b.create<math::RsqrtOp>(variance);
  storePerRow(mean, "mean");
  storePerRow(rstd, "rstd");
  auto fetchAll = [&](Value columns) {
    return Values{loadTile("x", columns), loadAcross("gain", columns), loadAcross("bias", columns)};
  };
  forColumns(fetchAll, [&](Value columns, ValueRange given) {
    Value unit = b.multiply(b.subtract(given[0], mean), rstd);
    storeTile(b.add(b.multiply(unit, given[1]), given[2]), "y", columns);
  });
}

void LayerNorm::gradient() {
  addMatrix("x", op.getStream());
  addVector("gain", b.getF32Type());
  for (StringRef name : {"mean", "rstd"})
    addVector(name, b.getF32Type());
  addMatrix("dy", op.getDtype());
  addMatrix("dresidual", op.getStream(), Optional::Yes);
  addMatrix("dx", op.getStream());
  for (StringRef name : {"dgain_parts", "dbias_parts"}) // [tiles of rows, columns]
    addMatrix(name, b.getF32Type());
  addNumbers({"dresidual_rows"}, {}); // rows, or 0 where there is no dresidual
  writeRows((op.getSymName() + "_dx").str(), [&] { gradientBody(); });
}

void LayerNorm::gradientBody() {
  Value mean = loadPerRow("mean"), rstd = loadPerRow("rstd"), zero = b.constant(perRow, 0);
  auto fetch = [&](Value columns) {
    return Values{loadTile("x", columns), loadTile("dy", columns), loadAcross("gain", columns)};
  };
  auto unitOf = [&](Value x) { return b.multiply(b.subtract(x, mean), rstd); };
  // Columns that do not exist have dy 0.
  Values sums = foldColumns({zero, zero}, fetch, [&](Value, ValueRange given, ValueRange sums) {
    Value g = b.multiply(given[1], given[2]);
    return Values{b.add(sums[0], sumOfRows(g)),
                  b.add(sums[1], sumOfRows(b.multiply(g, unitOf(given[0]))))};
  });
  Value meanG = perWidth(sums[0]), meanGu = perWidth(sums[1]);
  Value withResidual = rowsWithin(argument("dresidual_rows"));
  auto fetchAll = [&](Value columns) {
    Values all = fetch(columns);
    all.push_back(loadTile("dresidual", withResidual, columns));
    return all;
  };
  forColumns(fetchAll, [&](Value columns, ValueRange given) {
    Value dy = given[1], unit = unitOf(given[0]);
    Value centred = b.subtract(b.multiply(dy, given[2]), meanG);
    Value dx = b.multiply(b.subtract(centred, b.multiply(unit, meanGu)), rstd);
    storeTile(b.add(dx, given[3]), "dx", columns);
    b.store(sumOfColumns(b.multiply(dy, unit)), argument("dgain_parts"), {item}, columns);
    b.store(sumOfColumns(dy), argument("dbias_parts"), {item}, columns);
  });
}

void LayerNorm::sums() {
  for (StringRef name : {"dgain_parts", "dbias_parts"})
    addMatrix(name, b.getF32Type());
  for (StringRef name : {"dgain", "dbias"})
    addVector(name, b.getF32Type());
  // Parts; columns, or 0 where sums do not go on from what dgain and dbias hold; tiles of parts.
  addNumbers({"items", "parts", "prior_columns", "part_tiles"}, {});
  write((op.getSymName() + "_sums").str(), [&] { sumsBody(); });
}

void LayerNorm::sumsBody() {
  item = b.create<WorkOp>(WorkKind::Range, argument("items")).getResult(0);
  auto columnsBelow = [&](Value length) {
    return b.rows(OrderKind::Natural, item, length, Value(), int64_t(op.getSumsColumns()));
  };
  Value columns = columnsBelow(b.i32(width)), prior = columnsBelow(argument("prior_columns"));
  Values init = {b.load(argument("dgain"), {}, prior), b.load(argument("dbias"), {}, prior)};
  auto fetch = [&](Value index) {
    Value parts =
        b.rows(OrderKind::Natural, index, argument("parts"), Value(), int64_t(op.getSumsRows()));
    return Values{loadMatrix("dgain_parts", parts, columns),
                  loadMatrix("dbias_parts", parts, columns)};
  };
  Values sums = foldRange(b.i32(0), argument("part_tiles"), init, fetch,
                          [&](ValueRange parts, ValueRange sums) {
                            return Values{b.add(sums[0], sumOfColumns(parts[0])),
                                          b.add(sums[1], sumOfColumns(parts[1]))};
                          });
  b.store(sums[0], argument("dgain"), {}, columns);
  b.store(sums[1], argument("dbias"), {}, columns);
}

} // namespace

void LayerNormOp::buildKernels(OpBuilder &builder) {
  LayerNorm writer(*this, builder);
  if (!getBackward()) {
    writer.forward();
    return;
  }
  writer.gradient();
  writer.sums();
}

static void create(OpBuilder &builder, const LayerNormRequest &request, bool backward) {
  MLIRContext *context = builder.getContext();
  auto type = [&](DType each) { return TypeAttr::get(elementType(context, each)); };
  RowTile tile = request.tile(), sums = request.sumsTile();
  LayerNormOp::create(builder, builder.getUnknownLoc(), builder.getStringAttr(request.entry),
                      backward ? builder.getUnitAttr() : UnitAttr(),
                      builder.getI64IntegerAttr(request.columns), type(request.stream),
                      type(request.dtype), builder.getI64IntegerAttr(tile.rows),
                      builder.getI64IntegerAttr(tile.columns), builder.getI64IntegerAttr(sums.rows),
                      builder.getI64IntegerAttr(sums.columns));
}

void describe(OpBuilder &builder, const LayerNormRequest &request) {
  create(builder, request, /*backward=*/false);
}
void describe(OpBuilder &builder, const LayerNormBackwardRequest &request) {
  create(builder, request, /*backward=*/true);
}

} // namespace sparsec::ops
