// Random bits become the arithmetic of kernel/Random.h, so no target has to know of them. A pair of
// neighbouring columns shares its rounds: a target whose threads hold both computes them once.
#include "dialect/TileBuilder.h"
#include "dialect/passes/Passes.h"
#include "kernel/Random.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace sparsec {

#define GEN_PASS_DEF_LOWERRANDOM
#include "dialect/passes/Passes.h.inc"

namespace {

class Rounds {
public:
  explicit Rounds(tile::RandomOp op)
      : op(op), b(op.getLoc(), op), type(cast<RankedTensorType>(op.getType())) {}

  Value run() {
    Value low = b.create<arith::TruncIOp>(b.getI32Type(), op.getSeed());
    Value high = b.create<arith::TruncIOp>(
        b.getI32Type(), b.create<arith::ShRUIOp>(
                            op.getSeed(), b.create<arith::ConstantOp>(b.getI64IntegerAttr(32))));
    Value parity = b.create<arith::ConstantOp>(b.getI32IntegerAttr(int32_t(threefry::kParity)));
    Value third = b.create<arith::XOrIOp>(b.create<arith::XOrIOp>(parity, low), high);
    keys = {low, high, third};
    // What depends on rows or columns alone stays of rank 1 until they meet.
    Value x0 = add(op.getRows(), low);
    Value columns = op.getColumns();
    if (!columns)
      return mix(x0, b.splat(high, type.getShape())).first;
    auto vector = cast<RankedTensorType>(columns.getType());
    Value pair = b.create<arith::ShRUIOp>(columns, constant(vector, 1));
    Value odd = b.create<arith::CmpIOp>(arith::CmpIPredicate::ne,
                                        b.create<arith::AndIOp>(columns, constant(vector, 1)),
                                        constant(vector, 0));
    auto words = mix(b.create<tile::ExpandOp>(type, x0, /*dim=*/1),
                     b.create<tile::ExpandOp>(type, add(pair, high), /*dim=*/0));
    auto masks = RankedTensorType::get(type.getShape(), b.getI1Type());
    return b.create<arith::SelectOp>(b.create<tile::ExpandOp>(masks, odd, /*dim=*/0), words.second,
                                     words.first);
  }

private:
  tile::RandomOp op;
  tile::TileBuilder b;
  RankedTensorType type;
  std::array<Value, 3> keys;

  Value constant(RankedTensorType shape, int32_t value) {
    return b.create<arith::ConstantOp>(DenseElementsAttr::get(shape, value));
  }
  Value add(Value tile, Value scalar) {
    auto shape = cast<RankedTensorType>(tile.getType()).getShape();
    return b.create<arith::AddIOp>(tile, b.splat(scalar, shape));
  }
  Value rotate(Value x, int bits) {
    return b.create<arith::OrIOp>(b.create<arith::ShLIOp>(x, constant(type, bits)),
                                  b.create<arith::ShRUIOp>(x, constant(type, 32 - bits)));
  }

  std::pair<Value, Value> mix(Value x0, Value x1) {
    using namespace threefry;
    for (int round = 0; round < kRounds; ++round) {
      x0 = b.create<arith::AddIOp>(x0, x1);
      x1 = b.create<arith::XOrIOp>(rotate(x1, kRotations[round % 8]), x0);
      if ((round + 1) % kRoundsOfKey)
        continue;
      int turn = (round + 1) / kRoundsOfKey;
      Value number = b.create<arith::ConstantOp>(b.getI32IntegerAttr(turn));
      x0 = add(x0, keys[turn % 3]);
      x1 = add(x1, b.create<arith::AddIOp>(keys[(turn + 1) % 3], number));
    }
    return {x0, x1};
  }
};

struct LowerRandom : impl::LowerRandomBase<LowerRandom> {
  void runOnOperation() override {
    getOperation().walk([](tile::RandomOp op) {
      op.replaceAllUsesWith(Rounds(op).run());
      op.erase();
    });
  }
};

} // namespace
} // namespace sparsec
