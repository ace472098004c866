#include "dialect/ops/matmul/ProductWriter.h"

#include "kernel/ops/Matmul.h"

using namespace mlir;
using namespace sparsec::tile;

namespace sparsec::ops {

constexpr float kLog2e = 1.4426950408889634f;
constexpr float kSlope = 1.702f; ///< of the sigmoid in GELU

Value ProductWriter::gate(Value u) {
  auto type = cast<RankedTensorType>(u.getType());
  Value power = b.exp2(b.multiply(u, b.constant(type, -kSlope * kLog2e)));
  // A GPU's exact division takes longer than the rest; its approximation is off by two units.
  return b.create<arith::DivFOp>(ones(u), b.add(ones(u), power), arith::FastMathFlags::afn);
}

/// Its derivative: s (1 + 1.702 u (1 - s)) with s the gate.
Value ProductWriter::throughGelu(Value dx, Value rows, Value columns) {
  Value u = b.widen(loadTile("u", rows, columns)), s = gate(u);
  Value slope = b.multiply(b.multiply(u, b.subtract(ones(u), s)),
                           b.constant(cast<RankedTensorType>(u.getType()), kSlope));
  return b.multiply(dx, b.multiply(s, b.add(ones(u), slope)));
}

//===-- db ------------------------------------------------------------------------------------===//

/// An item is a range of the tokens and a tile of columns; its part is a row.
void ProductWriter::biasOfRange(StringRef symbol) {
  addMatrices({"dy"}, dtype);
  addMatrices({"parts"}, b.getF32Type());
  writeItems(symbol + "_bias", {"across", "steps", "range_steps"}, [&] {
    Value range = divide(item, argument("across"));
    Value columns = rowsOf(Out, remainder(item, argument("across")));
    Value low = times(range, argument("range_steps"));
    Value high = b.create<arith::MinSIOp>(plus(low, argument("range_steps")), argument("steps"));
    auto fetch = [&](Value index) {
      return Values{loadTile("dy", rowsOf(Tokens, index), columns)};
    };
    auto step = [&](ValueRange dy, ValueRange sum) {
      return Values{b.add(sum[0], b.reduceColumns(ReduceKind::Sum, b.widen(dy[0])))};
    };
    Value zero = b.constant(b.tensor({size[Out]}, b.getF32Type()), 0);
    b.store(foldRange(low, high, {zero}, fetch, step)[0], argument("parts"), {range}, columns);
  });
}

void ProductWriter::sumOfBiases(StringRef symbol) {
  addMatrices({"parts"}, b.getF32Type());
  addArgument("db", b.view(b.getF32Type(), 0));
  writeItems(symbol + "_bias_sum", {"ranges", "range_tiles", "prior_out"}, [&] {
    Value columns = rowsOf(Out, item), prior = rowsOf(Out, item, argument("prior_out"));
    auto fetch = [&](Value tile) {
      Value ranges =
          b.rows(OrderKind::Natural, tile, argument("ranges"), Value(), kBiasRangesTogether);
      return Values{b.widen(loadTile("parts", ranges, columns))};
    };
    auto step = [&](ValueRange parts, ValueRange sum) {
      return Values{b.add(sum[0], b.reduceColumns(ReduceKind::Sum, parts[0]))};
    };
    Value init = b.load(argument("db"), {}, prior);
    b.store(foldRange(b.i32(0), argument("range_tiles"), {init}, fetch, step)[0], argument("db"),
            {}, columns);
  });
}

void ProductWriter::biasGradient(StringRef symbol) {
  biasOfRange(symbol);
  sumOfBiases(symbol);
}

} // namespace sparsec::ops
