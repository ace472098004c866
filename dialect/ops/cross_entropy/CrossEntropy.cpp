// Softmax cross-entropy: its kernels as tile programs.
//
//   rows    maximum m, sum of exp(x - m) and x[target] in one pass, then dlogits
//   sum     all losses, as one row
#include "kernel/ops/CrossEntropy.h"
#include "dialect/ops/rows/RowWriter.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;
using namespace sparsec::tile;

namespace sparsec::ops {
namespace {

constexpr float kLog2e = 1.4426950408889634f;

class CrossEntropy : RowWriter {
public:
  CrossEntropy(CrossEntropyOp op, OpBuilder &builder)
      : RowWriter(op.getLoc(), builder,
                  {.rows = int(op.getTileRows()), .columns = int(op.getTileColumns())},
                  op.getColumns()),
        op(op) {}

  void ofRows();
  void sum();

private:
  void rowsBody();
  void sumBody();
  Value isTarget(Value columns);
  /// exp(x - max), 0 in columns that do not exist.
  Value powers(Value x, Value max) {
    return b.exp2(b.multiply(b.subtract(x, max), b.constant(ofTile, kLog2e)));
  }

  CrossEntropyOp op;
  Value targets;
};

void CrossEntropy::ofRows() {
  addMatrix("logits", op.getDtype());
  addVector("targets", op.getTargets());
  addVector("loss", b.getF32Type());
  if (op.getGradient()) {
    addMatrix("dlogits", op.getDtype());
    addNumbers({}, {"scale"});
    if (op.getLossScale())
      addVector("loss_scale", b.getF32Type()); // [1]
  }
  writeRows((op.getSymName() + "_rows").str(), [&] { rowsBody(); });
}

CrossEntropy::Value CrossEntropy::isTarget(Value columns) {
  RankedTensorType type = b.tensor({tile.rows, tile.columns}, b.getI32Type());
  Value asked = b.expand(targets, type);
  return b.create<arith::CmpIOp>(arith::CmpIPredicate::eq,
                                 b.acrossRows(b.positions(columns), tile.rows), asked);
}

void CrossEntropy::rowsBody() {
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  targets = loadPerRow("targets");
  auto fetch = [&](Value columns) { return Values{loadTile("logits", columns)}; };
  Value zeros = b.constant(ofTile, 0);
  Value zero = b.constant(perRow, 0);
  auto scan = [&](Value columns, ValueRange logits, ValueRange before) {
    Value x = whereColumns(columns, logits[0], kNone);
    Value max = b.max(before[0], b.reduceRows(ReduceKind::Max, x));
    Value decay = b.exp2(b.multiply(b.subtract(before[0], max), b.constant(perRow, kLog2e)));
    Value sum = b.add(b.multiply(before[1], decay), sumOfRows(powers(x, max)));
    Value ofTarget = sumOfRows(b.select(isTarget(columns), logits[0], zeros));
    return Values{max, sum, b.add(before[2], ofTarget)};
  };
  Values found = foldColumns({b.constant(perRow, kNone), zero, zero}, fetch, scan);
  Value max = found[0], sum = found[1];
  Value none = b.splat(b.i32(0), {tile.rows});
  Value counts = b.create<arith::CmpIOp>(arith::CmpIPredicate::sge, targets, none);
  Value loss = b.add(b.subtract(max, found[2]), b.create<math::LogOp>(sum));
  storePerRow(b.select(counts, loss, zero), "loss");
  if (!op.getGradient())
    return;
  Value factor = argument("scale");
  if (op.getLossScale())
    factor = b.create<arith::MulFOp>(factor, b.scalar(argument("loss_scale"), 0));
  Value scale = b.select(counts, b.splat(factor, {tile.rows}), zero);
  Value perPower = b.create<arith::DivFOp>(scale, sum);
  forColumns(fetch, [&](Value columns, ValueRange logits) {
    // What columns that do not exist have is not stored; of one tile the powers are there already.
    Value x = isOneTile() ? whereColumns(columns, logits[0], kNone) : logits[0];
    Value ofTarget = b.select(isTarget(columns), b.expand(scale, ofTile), zeros);
    storeTile(b.subtract(b.multiply(powers(x, max), perPower), ofTarget), "dlogits", columns);
  });
}

void CrossEntropy::sum() {
  addMatrix("loss", b.getF32Type());  // [1, rows]
  addVector("total", b.getF32Type()); // [1]
  addNumbers({"items", "rows", "tiles"}, {"factor"});
  write((op.getSymName() + "_sum").str(), [&] { sumBody(); });
}

void CrossEntropy::sumBody() {
  item = b.create<WorkOp>(WorkKind::Range, argument("items")).getResult(0);
  Value only = rowsWithin(b.i32(1));
  auto fetch = [&](Value index) {
    Value columns = b.rows(OrderKind::Natural, index, argument("rows"), Value(), tile.columns);
    return Values{loadMatrix("loss", only, columns)};
  };
  auto step = [&](ValueRange losses, ValueRange sum) {
    return Values{b.add(sum[0], sumOfRows(losses[0]))};
  };
  Value sum = foldRange(b.i32(0), argument("tiles"), {b.constant(perRow, 0)}, fetch, step)[0];
  b.store(b.multiply(sum, b.splat(argument("factor"), {tile.rows})), argument("total"), {}, only);
}

} // namespace

void CrossEntropyOp::buildKernels(OpBuilder &builder) {
  CrossEntropy writer(*this, builder);
  writer.ofRows();
  writer.sum();
}

void describe(OpBuilder &builder, const CrossEntropyRequest &request) {
  RowTile tile = request.tile();
  auto flag = [&](bool set) { return set ? builder.getUnitAttr() : UnitAttr(); };
  CrossEntropyOp::create(builder, builder.getUnknownLoc(), builder.getStringAttr(request.entry),
                         flag(request.gradient), flag(request.gradient && request.lossScale),
                         builder.getI64IntegerAttr(request.columns),
                         TypeAttr::get(elementType(builder.getContext(), request.dtype)),
                         TypeAttr::get(builder.getIntegerType(8 * request.targetBytes)),
                         builder.getI64IntegerAttr(tile.rows),
                         builder.getI64IntegerAttr(tile.columns));
}

} // namespace sparsec::ops
