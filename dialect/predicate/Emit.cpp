#include "dialect/predicate/Emit.h"

#include "dialect/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/TypeUtilities.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

using namespace mlir;

namespace sparsec {
namespace {

using CmpKind = arith::CmpIPredicate;

bool fitsSigned(const Bounds &b) {
  return b.low >= INT32_MIN && b.high <= INT32_MAX;
}
bool fitsUnsigned(const Bounds &b) {
  return b.low >= 0 && b.high <= UINT32_MAX;
}
bool isNarrow(const Bounds &b) {
  return fitsSigned(b) || fitsUnsigned(b);
}

/// An emitted value and the positions it has an element for each of.
struct Term {
  Value value;
  Positions over = Neither;
};

/// An emitted integer: 32 bits wide when its bounds are narrow, else 64.
struct Number : Term {
  Bounds bounds;
  bool isConstant() const { return bounds.low == bounds.high; }
};

/// How an operation reads its operands.
enum class Reading { Signed32, Unsigned32, Signed64 };

class Emitter {
public:
  Emitter(ImplicitLocOpBuilder &builder, const PredicateInputs &inputs, PredicateFacts &facts)
      : b(builder), inputs(inputs), facts(facts) {}

  /// The conjunction of the predicate and k < n, with an element for every pair.
  Value attend(const Expr &predicate);

private:
  // Ranks and widths.
  SmallVector<int64_t> shape(Positions over);
  Value raise(Term term, Positions over);
  Value constant(int64_t value, int bits, Positions over);
  Value number(const Number &number, int bits, Positions over);
  Value truncate(Value value, Positions over);
  template <class Op>
  Term combine(Term left, Term right);

  // Integers.
  Number integer(const Expr &expr);
  Value emitInteger(const Expr &expr, const Bounds &bounds, Positions over);
  Value ring(const Expr &expr, int bits, Positions over);
  Value low32(const Expr &expr, Positions over);
  Term lowBits(const Expr &expr);
  Reading reading(const Number &left, const Number &right, const Bounds *result);
  Value divide(const Expr &expr, Positions over);
  Value divideByPower(const Expr &expr, const Number &left, int64_t by, Positions over);
  Value divideSmall(Op op, const Number &left, int64_t by, Positions over);
  Value divideSigned(Op op, const Number &left, const Number &right, int bits, Positions over);
  Value extreme(Op op, const Number &left, const Number &right, const Bounds &bounds,
                Positions over);
  Value hash(const Expr &expr, Positions over);

  // Predicates.
  Term predicate(const Expr &expr);
  Term connect(Op op, ArrayRef<Expr> operands, ArrayRef<Term> more);
  Term compare(Op op, const Expr &left, const Expr &right);
  Term compareNumbers(Op op, Number left, Number right);
  std::optional<Term> remainderIsZero(Op op, const Expr &left, const Expr &right);
  bool clampTo(Op &op, Number &left, Number &right);
  Number clamp(const Number &wide, Bounds to, bool outsideIsBelow);

  ImplicitLocOpBuilder &b;
  const PredicateInputs &inputs;
  PredicateFacts &facts;
  DenseMap<const Node *, Number> numbers; ///< the nodes are kept alive by the predicate
  DenseMap<const Node *, Term> lows;
};

Positions operator|(Positions a, Positions b) {
  return static_cast<Positions>(static_cast<uint8_t>(a) | static_cast<uint8_t>(b));
}

//===-- Ranks and widths ----------------------------------------------------------------------===//

SmallVector<int64_t> Emitter::shape(Positions over) {
  auto size = [](Value vector) { return cast<RankedTensorType>(vector.getType()).getDimSize(0); };
  SmallVector<int64_t> result;
  if (over & OnQuery)
    result.push_back(size(inputs.queries));
  if (over & OnKey)
    result.push_back(size(inputs.keys));
  if (inputs.keysFirst)
    std::reverse(result.begin(), result.end());
  return result;
}

Value Emitter::raise(Term term, Positions over) {
  if (term.over == over)
    return term.value;
  Type element = getElementTypeOrSelf(term.value.getType());
  auto type = RankedTensorType::get(shape(over), element);
  if (term.over == Neither)
    return tile::SplatOp::create(b, type, term.value);
  bool alongRows = (term.over == OnQuery) != inputs.keysFirst;
  return tile::ExpandOp::create(b, type, term.value, /*dim=*/alongRows ? 1 : 0);
}

Value Emitter::constant(int64_t value, int bits, Positions over) {
  IntegerType element = b.getIntegerType(bits);
  APInt truncated = APInt(64, value, /*isSigned=*/true).sextOrTrunc(bits);
  if (over == Neither)
    return arith::ConstantOp::create(b, IntegerAttr::get(element, truncated));
  auto type = RankedTensorType::get(shape(over), element);
  return arith::ConstantOp::create(b, DenseElementsAttr::get(type, truncated));
}

/// A number in so many bits (32: its low ones), raised.
Value Emitter::number(const Number &number, int bits, Positions over) {
  if (number.isConstant())
    return constant(number.bounds.low, bits, over);
  int has = isNarrow(number.bounds) ? 32 : 64;
  Term term = number;
  Type element = b.getIntegerType(bits);
  if (auto tensor = dyn_cast<RankedTensorType>(term.value.getType()))
    element = tensor.clone(element);
  if (has < bits && number.bounds.low < 0)
    term.value = arith::ExtSIOp::create(b, element, term.value);
  else if (has < bits)
    term.value = arith::ExtUIOp::create(b, element, term.value);
  else if (has > bits)
    term.value = arith::TruncIOp::create(b, element, term.value);
  return raise(term, over);
}

/// 64 bits to 32.
Value Emitter::truncate(Value value, Positions over) {
  Type type = b.getI32Type();
  if (over != Neither)
    type = RankedTensorType::get(shape(over), type);
  return arith::TruncIOp::create(b, type, value);
}

template <class Op>
Term Emitter::combine(Term left, Term right) {
  Positions over = left.over | right.over;
  Value x = raise(left, over), y = raise(right, over); // in this order with every compiler
  return {Op::create(b, x, y), over};
}

//===-- Integers ------------------------------------------------------------------------------===//

Number Emitter::integer(const Expr &expr) {
  if (auto known = numbers.find(expr.get()); known != numbers.end())
    return known->second;
  // A pattern's numbers fit 64 bits: parsePredicate refuses it otherwise.
  Bounds bounds = *facts.bounds(expr);
  Number result;
  result.bounds = bounds;
  if (bounds.low != bounds.high) { // constants are made where they are used
    result.over = facts.positions(expr);
    result.value = emitInteger(expr, bounds, result.over);
  }
  return numbers[expr.get()] = result;
}

Value Emitter::emitInteger(const Expr &expr, const Bounds &bounds, Positions over) {
  int bits = isNarrow(bounds) ? 32 : 64;
  switch (expr->op) {
  case Op::Query:
    return inputs.queries;
  case Op::Key:
    return inputs.keys;
  case Op::Head:
    return inputs.head;
  case Op::Keys:
    return inputs.n;
  case Op::Queries:
    return inputs.nq;
  case Op::Integer:
    return constant(expr->value, bits, over);
  case Op::Negate:
  case Op::Add:
  case Op::Subtract:
  case Op::Multiply:
    return ring(expr, bits, over);
  case Op::FloorDivide:
  case Op::Modulo:
    return divide(expr, over);
  case Op::Min:
  case Op::Max:
    return extreme(expr->op, integer(expr->operands[0]), integer(expr->operands[1]), bounds, over);
  case Op::Abs: {
    Number of = integer(expr->operands[0]);
    if (of.bounds.low >= 0)
      return number(of, bits, over);
    int wide = isNarrow(of.bounds) ? 32 : 64; // |INT32_MIN| is 2^31, which fits 32 unsigned bits
    Value value = number(of, wide, over);
    Value negated = arith::SubIOp::create(b, constant(0, wide, over), value);
    Value result = arith::SelectOp::create(
        b, arith::CmpIOp::create(b, CmpKind::slt, value, constant(0, wide, over)), negated, value);
    return wide == bits ? result : number({{result, over}, of.bounds}, bits, over);
  }
  case Op::Hash:
    return hash(expr, over);
  case Op::True:
  case Op::False:
  case Op::Less:
  case Op::LessEqual:
  case Op::Greater:
  case Op::GreaterEqual:
  case Op::Equal:
  case Op::NotEqual:
  case Op::And:
  case Op::Or:
  case Op::Not:
    break;
  }
  llvm_unreachable("a predicate where an integer should be");
}

/// Sums and products: modulo 2^32 they need only the low bits of their operands.
Value Emitter::ring(const Expr &expr, int bits, Positions over) {
  auto operand = [&](size_t i) {
    return bits == 32 ? low32(expr->operands[i], over)
                      : number(integer(expr->operands[i]), 64, over);
  };
  if (expr->op == Op::Negate)
    return arith::SubIOp::create(b, constant(0, bits, over), operand(0));
  Value left = operand(0), right = operand(1);
  if (expr->op == Op::Add)
    return arith::AddIOp::create(b, left, right);
  if (expr->op == Op::Subtract)
    return arith::SubIOp::create(b, left, right);
  return arith::MulIOp::create(b, left, right);
}

Value Emitter::low32(const Expr &expr, Positions over) {
  Bounds bounds = *facts.bounds(expr);
  if (bounds.low == bounds.high)
    return constant(bounds.low, 32, over);
  return raise(lowBits(expr), over);
}

/// The low 32 bits of a number, without its high ones where they can be done without.
Term Emitter::lowBits(const Expr &expr) {
  if (auto known = lows.find(expr.get()); known != lows.end())
    return known->second;
  Positions over = facts.positions(expr);
  bool isRing = expr->op == Op::Negate || expr->op == Op::Add || expr->op == Op::Subtract ||
                expr->op == Op::Multiply;
  Value value = isRing && !isNarrow(*facts.bounds(expr)) ? ring(expr, 32, over)
                                                         : number(integer(expr), 32, over);
  return lows[expr.get()] = {value, over};
}

/// The cheapest way to read both operands (and a result, if it matters) without loss.
Reading Emitter::reading(const Number &left, const Number &right, const Bounds *result) {
  if (fitsUnsigned(left.bounds) && fitsUnsigned(right.bounds))
    return Reading::Unsigned32;
  bool overflows = result && (left.bounds.low == INT32_MIN || !fitsSigned(*result)); // by -1
  if (fitsSigned(left.bounds) && fitsSigned(right.bounds) && !overflows)
    return Reading::Signed32;
  return Reading::Signed64;
}

/// Floor division and its remainder.
Value Emitter::divide(const Expr &expr, Positions over) {
  Number left = integer(expr->operands[0]), right = integer(expr->operands[1]);
  Bounds bounds = *facts.bounds(expr);
  int resultBits = isNarrow(bounds) ? 32 : 64;
  if (right.isConstant() && right.bounds.low > 0) {
    int64_t by = right.bounds.low;
    if (std::has_single_bit(static_cast<uint64_t>(by)))
      return divideByPower(expr, left, by, over);
    if (left.bounds.low > -by && left.bounds.high < by && by <= INT32_MAX)
      return divideSmall(expr->op, left, by, over);
  }
  Reading how = reading(left, right, &bounds);
  int bits = how == Reading::Signed64 ? 64 : 32;
  Value result;
  if (how == Reading::Unsigned32 || (left.bounds.low >= 0 && right.bounds.low > 0)) {
    Value dividend = number(left, bits, over), divisor = number(right, bits, over);
    result = expr->op == Op::Modulo ? Value(arith::RemUIOp::create(b, dividend, divisor))
                                    : Value(arith::DivUIOp::create(b, dividend, divisor));
  } else {
    result = divideSigned(expr->op, left, right, bits, over);
  }
  if (bits == resultBits)
    return result;
  return truncate(result, over); // a 64-bit operand, a 32-bit result
}

/// By a power of two: a shift or a mask, which floor as they are.
Value Emitter::divideByPower(const Expr &expr, const Number &left, int64_t by, Positions over) {
  Bounds bounds = *facts.bounds(expr);
  int resultBits = isNarrow(bounds) ? 32 : 64;
  if (expr->op == Op::Modulo) { // of low bits alone
    Value value = resultBits == 32 ? low32(expr->operands[0], over) : number(left, 64, over);
    return arith::AndIOp::create(b, value, constant(by - 1, resultBits, over));
  }
  int bits = isNarrow(left.bounds) ? 32 : 64;
  // Shifting a negative value by more bits than it has gives the -1 that shifting by all but one
  // does.
  int shift = std::min(std::countr_zero(static_cast<uint64_t>(by)), bits - 1);
  Value value = number(left, bits, over), by2 = constant(shift, bits, over);
  Value result = left.bounds.low >= 0 ? Value(arith::ShRUIOp::create(b, value, by2))
                                      : Value(arith::ShRSIOp::create(b, value, by2));
  if (bits == resultBits)
    return result;
  return truncate(result, over);
}

/// Of a value in (-by, by): nothing to divide, only a sign to see to.
Value Emitter::divideSmall(Op op, const Number &left, int64_t by, Positions over) {
  Value value = number(left, 32, over);
  if (op == Op::FloorDivide)
    return arith::ShRSIOp::create(b, value, constant(31, 32, over)); // 0 or -1
  if (left.bounds.low >= 0)
    return value;
  // Read as unsigned, a negative value is the greater of the two.
  Value lifted = arith::AddIOp::create(b, value, constant(by, 32, over));
  return arith::MinUIOp::create(b, value, lifted);
}

/// The machine's division truncates: where the remainder has the wrong sign, one step down.
Value Emitter::divideSigned(Op op, const Number &left, const Number &right, int bits,
                            Positions over) {
  Value dividend = number(left, bits, over), divisor = number(right, bits, over);
  Value quotient = arith::DivSIOp::create(b, dividend, divisor);
  Value product = arith::MulIOp::create(b, quotient, divisor);
  Value remainder = arith::SubIOp::create(b, dividend, product);
  if (right.bounds.low > 0) { // -1 where the remainder is negative
    Value sign = arith::ShRSIOp::create(b, remainder, constant(bits - 1, bits, over));
    if (op == Op::FloorDivide)
      return arith::AddIOp::create(b, quotient, sign);
    return arith::AddIOp::create(b, remainder, arith::AndIOp::create(b, sign, divisor));
  }
  Value zero = constant(0, bits, over);
  Value inexact = arith::CmpIOp::create(b, CmpKind::ne, remainder, zero);
  Value signs = arith::XOrIOp::create(b, remainder, divisor);
  Value differ = arith::CmpIOp::create(b, CmpKind::slt, signs, zero);
  Value wrong = arith::AndIOp::create(b, inexact, differ);
  if (op == Op::FloorDivide)
    return arith::SelectOp::create(
        b, wrong, arith::SubIOp::create(b, quotient, constant(1, bits, over)), quotient);
  return arith::SelectOp::create(b, wrong, arith::AddIOp::create(b, remainder, divisor), remainder);
}

Value Emitter::extreme(Op op, const Number &left, const Number &right, const Bounds &bounds,
                       Positions over) {
  Reading how = reading(left, right, nullptr);
  int bits = how == Reading::Signed64 ? 64 : 32;
  Value x = number(left, bits, over), y = number(right, bits, over), result;
  if (how == Reading::Unsigned32)
    result = op == Op::Min ? Value(arith::MinUIOp::create(b, x, y))
                           : Value(arith::MaxUIOp::create(b, x, y));
  else
    result = op == Op::Min ? Value(arith::MinSIOp::create(b, x, y))
                           : Value(arith::MaxSIOp::create(b, x, y));
  if (bits == 32 || !isNarrow(bounds))
    return result;
  return truncate(result, over);
}

/// hash32 of Evaluate.h, on low bits throughout.
Value Emitter::hash(const Expr &expr, Positions over) {
  constexpr std::array<uint32_t, 3> factors = {0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D};
  SmallVector<Term> products;
  int64_t known = 0;
  for (size_t i = 0; i < 3; ++i) {
    const Expr &operand = expr->operands[i];
    Bounds bounds = *facts.bounds(operand);
    if (bounds.low == bounds.high) {
      known += static_cast<int64_t>(static_cast<uint32_t>(bounds.low) * factors[i]);
      continue;
    }
    Positions on = facts.positions(operand);
    Value factor = constant(factors[i], 32, on);
    products.push_back({arith::MulIOp::create(b, low32(operand, on), factor), on});
  }
  llvm::stable_sort(products, [](const Term &x, const Term &y) { return x.over < y.over; });
  Term sum{constant(known, 32, Neither), Neither};
  for (const Term &product : products)
    sum = combine<arith::AddIOp>(sum, product);
  Value x = raise(sum, over);
  auto mix = [&](int shift) {
    Value high = arith::ShRUIOp::create(b, x, constant(shift, 32, over));
    x = arith::XOrIOp::create(b, x, high);
  };
  auto spread = [&](uint32_t factor) {
    x = arith::MulIOp::create(b, x, constant(factor, 32, over));
  };
  mix(16), spread(0x7FEB352D);
  mix(15), spread(0x846CA68B);
  mix(16);
  return x;
}

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
std::optional<Term> Emitter::remainderIsZero(Op op, const Expr &left, const Expr &right) {
  bool equality = op == Op::Equal || op == Op::NotEqual;
  if (!equality || left->op != Op::Modulo || right->op != Op::Integer || right->value != 0)
    return {};
  Number of = integer(left->operands[0]), by = integer(left->operands[1]);
  bool power = by.isConstant() && by.bounds.low > 0 &&
               std::has_single_bit(static_cast<uint64_t>(by.bounds.low));
  if (of.bounds.low >= 0 || power || of.isConstant())
    return {}; // cheap as it is
  Positions over = facts.positions(left);
  int bits = reading(of, by, &of.bounds) == Reading::Signed32 ? 32 : 64;
  Value x = number(of, bits, over), y = number(by, bits, over);
  Value remainder = arith::RemSIOp::create(b, x, y);
  return Term{arith::CmpIOp::create(b, signedKind(op), remainder, constant(0, bits, over)), over};
}

/// A 64-bit value of lower rank where only its place among values in [to.low, to.high] matters:
/// brought into [low - 1, high], in 32 bits. Values above go to `high`, or with `outsideIsBelow`
/// to low - 1.
Number Emitter::clamp(const Number &wide, Bounds to, bool outsideIsBelow) {
  Value value = wide.value, low = constant(to.low - 1, 64, wide.over),
        high = constant(to.high, 64, wide.over);
  if (outsideIsBelow) {
    Value above = arith::CmpIOp::create(b, CmpKind::sgt, value, high);
    value = arith::SelectOp::create(b, above, low, value);
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
bool Emitter::clampTo(Op &op, Number &left, Number &right) {
  Positions over = left.over | right.over;
  Number &wide = isNarrow(left.bounds) ? right : left,
         &narrow = isNarrow(left.bounds) ? left : right;
  if (wide.over == over || wide.isConstant() || isNarrow(wide.bounds) || !isNarrow(narrow.bounds))
    return false;
  Bounds target{narrow.bounds.low - 1, narrow.bounds.high};
  if (!isNarrow(target))
    return false;
  if (op == Op::Equal || op == Op::NotEqual) {
    wide = clamp(wide, narrow.bounds, /*outsideIsBelow=*/true);
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
  wide = clamp(wide, narrow.bounds, /*outsideIsBelow=*/false);
  return true;
}

Term Emitter::compareNumbers(Op op, Number left, Number right) {
  Positions over = left.over | right.over;
  Reading how = reading(left, right, nullptr);
  if (how == Reading::Signed64 && clampTo(op, left, right))
    how = reading(left, right, nullptr);
  int bits = how == Reading::Signed64 ? 64 : 32;
  CmpKind kind = how == Reading::Unsigned32 ? unsignedKind(op) : signedKind(op);
  Value x = number(left, bits, over), y = number(right, bits, over);
  return {arith::CmpIOp::create(b, kind, x, y), over};
}

Term Emitter::compare(Op op, const Expr &left, const Expr &right) {
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
Term Emitter::connect(Op op, ArrayRef<Expr> operands, ArrayRef<Term> more) {
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

Term Emitter::predicate(const Expr &expr) {
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

Value Emitter::attend(const Expr &predicate) {
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
  return Emitter(builder, inputs, facts).attend(separate(predicate, facts));
}

} // namespace sparsec
