#include "codegen/cpu/plan/Exponents.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace sparsec::cpu {
namespace {

/// m where it has a value, 0 where it is -inf: select(m == -inf, 0, m). Null when it is no such.
Value withoutInfinity(Value value) {
  auto select = value.getDefiningOp<arith::SelectOp>();
  auto compare = select ? select.getCondition().getDefiningOp<arith::CmpFOp>() : nullptr;
  bool is = compare && compare.getPredicate() == arith::CmpFPredicate::OEQ &&
            compare.getLhs() == select.getFalseValue() &&
            matchPattern(compare.getRhs(), m_NegInfFloat()) &&
            matchPattern(select.getTrueValue(), m_AnyZeroFloat());
  return is ? select.getFalseValue() : Value();
}

class AtMost {
public:
  AtMost(const Dataflow &flow, Value less) : flow(flow), less(flow.resolve(less)) {}

  /// Whether `less` is at most `value`, which is repeated along `dim` if that is not -1.
  bool holds(Value value, int dim = -1) const {
    value = flow.resolve(value);
    if (value == less)
      return dim == -1;
    if (auto expand = value.getDefiningOp<tile::ExpandOp>())
      return dim == -1 && holds(expand.getInput(), int(expand.getDim()));
    if (auto reduce = value.getDefiningOp<tile::ReduceOp>())
      return reduce.getKind() == tile::ReduceKind::Max && int(reduce.getDim()) == dim &&
             flow.resolve(reduce.getInput()) == less;
    if (auto larger = value.getDefiningOp<arith::MaximumFOp>())
      return holds(larger.getLhs(), dim) || holds(larger.getRhs(), dim);
    Value finite = withoutInfinity(value);
    return finite && holds(finite, dim);
  }

private:
  const Dataflow &flow;
  Value less;
};

} // namespace

arith::SubFOp decayOf(const Dataflow &flow, math::Exp2Op power) {
  auto difference = flow.resolve(power.getOperand()).getDefiningOp<arith::SubFOp>();
  bool is = difference && AtMost(flow, difference.getLhs()).holds(difference.getRhs());
  return is ? difference : nullptr;
}

bool isZeroWhereMasked(const Dataflow &flow, Value value, tile::MaskOp mask) {
  Operation *op = flow.resolve(value).getDefiningOp();
  if (!op)
    return false;
  if (isa<arith::TruncFOp, arith::ExtFOp>(op))
    return isZeroWhereMasked(flow, op->getOperand(0), mask);
  auto difference = isa<math::Exp2Op, math::ExpOp>(op)
                        ? flow.resolve(op->getOperand(0)).getDefiningOp<arith::SubFOp>()
                        : nullptr;
  return difference && flow.resolve(difference.getLhs()) == mask.getResult();
}

} // namespace sparsec::cpu
