// Scores are products of queries and keys times a scale. In a fold over keys the queries stay the
// same: scaled once before it, they give scores that nobody has to scale. In f32 alone: what lower
// precision rounds would be other numbers.
#include "dialect/Tile.h"
#include "dialect/passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace sparsec {

#define GEN_PASS_DEF_SCALEOPERANDS
#include "dialect/passes/Passes.h.inc"

namespace {

/// A product that nothing else reads and nothing is added to, of f32 tiles.
tile::DotOp scalable(Value value) {
  auto dot = value.getDefiningOp<tile::DotOp>();
  if (!dot || dot.getAcc() || !dot->hasOneUse())
    return nullptr;
  auto isF32 = [](Value operand) {
    return cast<RankedTensorType>(operand.getType()).getElementType().isF32();
  };
  return isF32(dot.getLhs()) && isF32(dot.getRhs()) ? dot : nullptr;
}

/// The scalar that a tile repeats, if it is known before the loop.
Value factorOf(Value value, LoopLikeOpInterface loop) {
  auto splat = value.getDefiningOp<tile::SplatOp>();
  return splat && loop.isDefinedOutsideOfLoop(splat.getScalar()) ? splat.getScalar() : Value();
}

/// The operand that is the same in every turn of the loop.
OpOperand *fixedOperand(tile::DotOp dot, LoopLikeOpInterface loop) {
  for (OpOperand *operand : {&dot.getLhsMutable(), &dot.getRhsMutable()})
    if (loop.isDefinedOutsideOfLoop(operand->get()))
      return operand;
  return nullptr;
}

void moveFactor(arith::MulFOp product) {
  auto loop = product->getParentOfType<tile::FoldOp>();
  if (!loop)
    return;
  for (auto [scores, other] : {std::pair(product.getLhs(), product.getRhs()),
                               std::pair(product.getRhs(), product.getLhs())}) {
    tile::DotOp dot = scalable(scores);
    Value factor = factorOf(other, loop);
    OpOperand *operand = dot && factor ? fixedOperand(dot, loop) : nullptr;
    if (!operand)
      continue;
    OpBuilder builder(loop);
    Value fixed = operand->get();
    Value factors = tile::SplatOp::create(builder, product.getLoc(), fixed.getType(), factor);
    operand->set(arith::MulFOp::create(builder, product.getLoc(), fixed, factors));
    product.replaceAllUsesWith(dot.getResult());
    product.erase();
    return;
  }
}

struct ScaleOperands : impl::ScaleOperandsBase<ScaleOperands> {
  void runOnOperation() override {
    SmallVector<arith::MulFOp> products;
    getOperation().walk([&](arith::MulFOp product) {
      if (isa<RankedTensorType>(product.getType()))
        products.push_back(product);
    });
    llvm::for_each(products, moveFactor);
  }
};

} // namespace
} // namespace sparsec
