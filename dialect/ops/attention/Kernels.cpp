#include "dialect/ops/attention/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

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

} // namespace sparsec::ops
