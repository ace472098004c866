#include "dialect/predicate/EmitIntegers.h"

#include "dialect/Tile.h"

#include <array>
#include <bit>

using namespace mlir;

namespace sparsec {
namespace {

using CmpKind = arith::CmpIPredicate;

/// Where values go that lie above the range they are clamped to.
enum class Above { StaysAbove, GoesBelow };

class PredicateEmitter : public IntegerEmitter {
public:
  using IntegerEmitter::IntegerEmitter;

  /// The conjunction of the predicate and k < n, with an element for every pair.
  Value attend(const Expr &predicate);

private:
  Term truth(const Expr &condition) override { return predicate(condition); }
  Term predicate(const Expr &expr);
  Term connect(Op op, ArrayRef<Expr> operands, ArrayRef<Term> more);
  Term compare(Op op, const Expr &left, const Expr &right);
  Term compareNumbers(Op op, Number left, Number right);
  std::optional<Term> remainderIsZero(Op op, const Expr &left, const Expr &right);
  bool clampTo(Op &op, Number &left, Number &right);
  Number clamp(const Number &wide, Bounds to, Above above);
};

//===-- Comparisons ---------------------------------------------------------------------------===//

CmpKind signedKind(Op op) {
  if (op == Op::Less)
    return CmpKind::slt;
  if (op == Op::LessEqual)
    return CmpKind::sle;
  return op == Op::Equal ? CmpKind::eq : CmpKind::ne;
}
CmpKind unsignedKind(Op op) {
  if (op == Op::Less)
    return CmpKind::ult;
  if (op == Op::LessEqual)
    return CmpKind::ule;
  return op == Op::Equal ? CmpKind::eq : CmpKind::ne;
}

/// X % Y == 0: then the machine's remainder is 0 too, whatever its sign.
std::optional<Term> PredicateEmitter::remainderIsZero(Op op, const Expr &left, const Expr &right) {
  bool equality = op == Op::Equal || op == Op::NotEqual;
  if (!equality || left->op != Op::Modulo || right->op != Op::Integer || right->value != 0)
    return {};
  Number of = integer(left->operands[0]), by = integer(left->operands[1]);
  bool power = by.isConstant() && by.bounds.low > 0 &&
               std::has_single_bit(static_cast<uint64_t>(by.bounds.low));
  if (of.bounds.low >= 0 || power || of.isConstant())
    return {}; // cheap as it is
  Positions over = facts.positions(left);
  int bits = readingOf(of, by, &of.bounds) == Reading::Signed32 ? 32 : 64;
  Value x = number(of, bits, over), y = number(by, bits, over);
  Value remainder = arith::RemSIOp::create(b, x, y);
  return Term{arith::CmpIOp::create(b, signedKind(op), remainder, constant(0, bits, over)), over};
}

/// A 64-bit value of lower rank where only its place among values in [to.low, to.high] matters:
/// brought into [low - 1, high], in 32 bits.
Number PredicateEmitter::clamp(const Number &wide, Bounds to, Above above) {
  Value value = wide.value, low = constant(to.low - 1, 64, wide.over),
        high = constant(to.high, 64, wide.over);
  if (above == Above::GoesBelow) {
    Value isAbove = arith::CmpIOp::create(b, CmpKind::sgt, value, high);
    value = arith::SelectOp::create(b, isAbove, low, value);
  } else {
    value = arith::MinSIOp::create(b, value, high);
  }
  value = arith::MaxSIOp::create(b, value, low);
  Number result;
  result.value = truncate(value, wide.over);
  result.over = wide.over;
  result.bounds = {to.low - 1, to.high};
  return result;
}

/// Makes both sides of a comparison narrow when one is, at the price of work at a lower rank.
bool PredicateEmitter::clampTo(Op &op, Number &left, Number &right) {
  Positions over = left.over | right.over;
  Number &wide = isNarrow(left.bounds) ? right : left,
         &narrow = isNarrow(left.bounds) ? left : right;
  if (wide.over == over || wide.isConstant() || isNarrow(wide.bounds) || !isNarrow(narrow.bounds))
    return false;
  Bounds target{narrow.bounds.low - 1, narrow.bounds.high};
  if (!isNarrow(target))
    return false;
  if (op == Op::Equal || op == Op::NotEqual) {
    wide = clamp(wide, narrow.bounds, Above::GoesBelow);
    return true;
  }
  // wide < narrow, and narrow <= wide, keep their truth when wide is brought into [low - 1, high].
  bool strict = &wide == &left;
  if ((op == Op::Less) != strict) { // x <= y is x - 1 < y; x < y is x <= y - 1
    if (wide.bounds.low == INT64_MIN)
      return false;
    Value one = constant(1, 64, wide.over);
    wide.value = arith::SubIOp::create(b, wide.value, one);
    op = strict ? Op::Less : Op::LessEqual;
  }
  wide = clamp(wide, narrow.bounds, Above::StaysAbove);
  return true;
}

Term PredicateEmitter::compareNumbers(Op op, Number left, Number right) {
  Positions over = left.over | right.over;
  Reading how = readingOf(left, right);
  if (how == Reading::Signed64 && clampTo(op, left, right))
    how = readingOf(left, right);
  int bits = how == Reading::Signed64 ? 64 : 32;
  CmpKind kind = how == Reading::Unsigned32 ? unsignedKind(op) : signedKind(op);
  Value x = number(left, bits, over), y = number(right, bits, over);
  return {arith::CmpIOp::create(b, kind, x, y), over};
}

Term PredicateEmitter::compare(Op op, const Expr &left, const Expr &right) {
  if (op == Op::Greater)
    return compare(Op::Less, right, left);
  if (op == Op::GreaterEqual)
    return compare(Op::LessEqual, right, left);
  if (std::optional<Term> term = remainderIsZero(op, left, right))
    return *term;
  return compareNumbers(op, integer(left), integer(right));
}

//===-- Predicates ----------------------------------------------------------------------------===//

/// The operands of a chain of one connective, those of short chains once each.
void flatten(Op op, const Expr &expr, SmallVectorImpl<Expr> &operands) {
  if (expr->op != op) {
    auto same = [&](const Expr &other) { return equal(expr, other); };
    if (operands.size() > 32 || llvm::none_of(operands, same))
      operands.push_back(expr);
    return;
  }
  for (const Expr &operand : expr->operands)
    flatten(op, operand, operands);
}

/// What depends on the same positions is connected first, the scalars with whatever comes next.
Term PredicateEmitter::connect(Op op, ArrayRef<Expr> operands, ArrayRef<Term> more) {
  std::array<std::optional<Term>, 4> byPositions;
  auto join = [&](const Term &x, const Term &y) {
    return op == Op::And ? combine<arith::AndIOp>(x, y) : combine<arith::OrIOp>(x, y);
  };
  auto take = [&](const Term &term) {
    std::optional<Term> &group = byPositions[term.over];
    group = group ? join(*group, term) : term;
  };
  for (const Expr &operand : operands)
    take(predicate(operand));
  for (const Term &term : more)
    take(term);
  std::optional<Term> result;
  for (const std::optional<Term> &group : byPositions)
    if (group)
      result = result ? join(*result, *group) : *group;
  return *result;
}

Term PredicateEmitter::predicate(const Expr &expr) {
  if (expr->op == Op::True || expr->op == Op::False)
    return {constant(expr->op == Op::True, 1, Neither), Neither};
  if (expr->op == Op::Not) {
    Term term = predicate(expr->operands[0]);
    return {arith::XOrIOp::create(b, term.value, constant(1, 1, term.over)), term.over};
  }
  if (expr->op == Op::And || expr->op == Op::Or) {
    SmallVector<Expr> operands;
    flatten(expr->op, expr, operands);
    return connect(expr->op, operands, {});
  }
  return compare(expr->op, expr->operands[0], expr->operands[1]);
}

Value PredicateEmitter::attend(const Expr &predicate) {
  // Unsigned: the position of a row past the end may have left 31 bits.
  Value n = raise({inputs.n, Neither}, OnKey);
  Term exists{arith::CmpIOp::create(b, CmpKind::ult, inputs.keys, n), OnKey};
  SmallVector<Expr> operands;
  if (predicate->op != Op::True)
    flatten(Op::And, predicate, operands);
  return raise(connect(Op::And, operands, exists), OnBoth);
}

} // namespace

Value emitPredicate(ImplicitLocOpBuilder &builder, const Expr &predicate,
                    const PredicateInputs &inputs) {
  PredicateFacts facts;
  return PredicateEmitter(builder, inputs, facts).attend(separate(predicate, facts));
}

} // namespace sparsec
