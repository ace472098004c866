// Sampling: its kernel as a tile program.
//
//   token = the largest t whose sum of e before t is not above u * the sum of all, bit by bit:
//
//   sums before  0 1 2 3 4 5 6 7 8      8 classes, u * sum between those before 5 and 6
//   bit 4        . . . . *              not above: t = 4
//   bit 2        . . . . . . *          above: t stays 4
//   bit 1        . . . . . *            not above: t = 5
#include "kernel/ops/Sample.h"
#include "dialect/ops/rows/RowWriter.h"

#include <bit>
#include <limits>

using namespace mlir;
using namespace sparsec::tile;

namespace sparsec::ops {
namespace {

constexpr float kNone = -std::numeric_limits<float>::infinity();

class Sample : RowWriter {
public:
  Sample(SampleOp op, OpBuilder &builder)
      : RowWriter(op.getLoc(), builder,
                  {.rows = int(op.getTileRows()), .columns = int(op.getTileColumns())},
                  op.getColumns()),
        op(op) {}

  void build();

private:
  void body();
  Values fetch(Value columns) { return {loadTile("logits", columns)}; }
  Value integers(int64_t value) { return b.splat(b.i32(value), {tile.rows}); }
  Value sumBefore(Value ends);

  SampleOp op;
  Value max;
};

void Sample::build() {
  addMatrix("logits", op.getDtype());
  addVector("seed", b.getI64Type());
  addVector("tokens", b.getI32Type());
  addNumbers({}, {"per_unit"}); // log2(e) / temperature
  writeRows(op.getSymName(), [&] { body(); });
}

/// Of e in the columns before `ends` of each row; of those past the last one they may be any.
Sample::Value Sample::sumBefore(Value ends) {
  RankedTensorType type = b.tensor({tile.rows, tile.columns}, b.getI32Type());
  auto step = [&](Value columns, ValueRange logits, ValueRange sum) {
    Value perUnit = b.splat(argument("per_unit"), ofTile.getShape());
    Value units = b.multiply(b.subtract(logits[0], max), perUnit);
    Value before = b.create<arith::CmpIOp>(arith::CmpIPredicate::slt,
                                           b.acrossRows(b.positions(columns), tile.rows),
                                           b.expand(ends, type));
    Value kept = b.select(before, b.exp2(units), b.constant(ofTile, 0));
    return Values{b.add(sum[0], sumOfRows(kept))};
  };
  return foldColumns(
      {b.constant(perRow, 0)}, [&](Value columns) { return fetch(columns); }, step)[0];
}

void Sample::body() {
  auto largest = [&](Value columns, ValueRange logits, ValueRange before) {
    Value x = whereColumns(columns, logits[0], kNone);
    return Values{b.max(before[0], b.reduceRows(ReduceKind::Max, x))};
  };
  max = foldColumns(
      {b.constant(perRow, kNone)}, [&](Value columns) { return fetch(columns); }, largest)[0];
  Value u = b.uniform(b.random(b.scalar(argument("seed"), 0), b.positions(rows)));
  Value bound = b.multiply(sumBefore(integers(width)), u);
  auto top = int64_t(std::bit_floor(uint64_t(width - 1)));
  Value token = loop(b.i32(0), b.i32(std::bit_width(uint64_t(top))), integers(0),
                     [&](Value i, Value found) -> Value {
                       Value bit = b.create<arith::ShRUIOp>(b.i32(top), i);
                       Value further = b.create<arith::AddIOp>(found, b.splat(bit, {tile.rows}));
                       // Past the last column the sum is that of all or more, above every bound.
                       Value stays = b.create<arith::CmpFOp>(arith::CmpFPredicate::OLE,
                                                             sumBefore(further), bound);
                       return b.select(stays, further, found);
                     });
  storePerRow(token, "tokens");
}

} // namespace

void SampleOp::buildKernels(OpBuilder &builder) {
  Sample(*this, builder).build();
}

void describe(OpBuilder &builder, const SampleRequest &request) {
  RowTile tile = request.tile();
  SampleOp::create(builder, builder.getUnknownLoc(), builder.getStringAttr(request.entry),
                   builder.getI64IntegerAttr(request.columns),
                   TypeAttr::get(elementType(builder.getContext(), request.dtype)),
                   builder.getI64IntegerAttr(tile.rows), builder.getI64IntegerAttr(tile.columns));
}

} // namespace sparsec::ops
