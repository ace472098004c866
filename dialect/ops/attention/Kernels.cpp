#include "dialect/ops/attention/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;
using namespace sparsec::tile;

namespace sparsec::ops {

void AttentionWriter::addAxes() {
  if (queryOrder != OrderKind::Natural)
    addArgument("query_order", NumbersType::get(b.getContext()));
  if (keyOrder != OrderKind::Natural)
    addArgument("key_order", NumbersType::get(b.getContext()));
  addArgument("layout", LayoutType::get(b.getContext()));
  for (StringRef name : {"n", "nq", "q0"})
    addArgument(name, b.getI32Type());
}

Value AttentionWriter::rowsOf(StringRef axis, OrderKind order, Value tile, StringRef length,
                              int64_t size) {
  Value numbers = order == OrderKind::Natural ? Value() : argument((axis + "_order").str());
  return b.rows(order, tile, argument(length), numbers, size);
}

Value AttentionWriter::queryPositions(Value rows) {
  Value first = b.splat(argument("q0"), {blockQ});
  return b.create<arith::AddIOp>(b.positions(rows), first);
}

//===-- The online softmax --------------------------------------------------------------------===//

constexpr float kNothing = -std::numeric_limits<float>::infinity();

Softmax AttentionWriter::nothingSeen() {
  RankedTensorType perRow = b.tensor({blockQ}, b.getF32Type());
  return {b.constant(perRow, kNothing), b.constant(perRow, 0),
          b.constant(b.tensor({blockQ, valueDim}, b.getF32Type()), 0)};
}

Value AttentionWriter::base(Value m) {
  auto perRow = cast<RankedTensorType>(m.getType());
  return b.select(b.equal(m, b.constant(perRow, kNothing)), b.constant(perRow, 0), m);
}

Softmax AttentionWriter::update(const Softmax &before, Value scores, Value values) {
  Value m = b.max(before.m, b.reduceRows(ReduceKind::Max, scores));
  Value from = base(m);
  Value p = b.exp2(b.subtract(scores, from));
  Value decay = b.exp2(b.subtract(before.m, from));
  Value l = b.create<math::FmaOp>(before.l, decay, b.reduceRows(ReduceKind::Sum, p));
  Value scaled = b.multiply(before.o, decay);
  Value o = b.create<DotOp>(scaled.getType(), b.convert(p, dtype), values, scaled,
                            /*lhs_t=*/false, /*rhs_t=*/false);
  return {m, l, o};
}

Softmax AttentionWriter::merge(const Softmax &a, const Softmax &other) {
  Value m = b.max(a.m, other.m), from = base(m);
  Value ofA = b.exp2(b.subtract(a.m, from)), ofOther = b.exp2(b.subtract(other.m, from));
  return {m, b.add(b.multiply(a.l, ofA), b.multiply(other.l, ofOther)),
          b.add(b.multiply(a.o, ofA), b.multiply(other.o, ofOther))};
}

Value AttentionWriter::sumOf(const Softmax &softmax) {
  auto perRow = cast<RankedTensorType>(softmax.l.getType());
  Value one = b.constant(perRow, 1);
  return b.select(b.equal(softmax.l, b.constant(perRow, 0)), one, softmax.l);
}

Value AttentionWriter::outOf(const Softmax &softmax, Value sum) {
  Value one = b.constant(cast<RankedTensorType>(sum.getType()), 1);
  return b.convert(b.multiply(softmax.o, b.create<arith::DivFOp>(one, sum)), dtype);
}

Value AttentionWriter::lseOf(const Softmax &softmax, Value sum) {
  Value log = b.create<math::LogOp>(sum);
  return b.create<math::FmaOp>(softmax.m, b.constant(cast<RankedTensorType>(sum.getType()), kLn2),
                               log);
}

} // namespace sparsec::ops
