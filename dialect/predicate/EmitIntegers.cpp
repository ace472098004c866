#include "dialect/predicate/EmitIntegers.h"

#include "dialect/Tile.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <algorithm>
#include <array>
#include <bit>

using namespace mlir;

namespace sparsec {

Reading readingOf(const Number &left, const Number &right, const Bounds *result) {
  if (fitsUnsigned(left.bounds) && fitsUnsigned(right.bounds))
    return Reading::Unsigned32;
  bool overflows = result && (left.bounds.low == INT32_MIN || !fitsSigned(*result)); // by -1
  if (fitsSigned(left.bounds) && fitsSigned(right.bounds) && !overflows)
    return Reading::Signed32;
  return Reading::Signed64;
}

Number IntegerEmitter::integer(const Expr &expr) {
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

Value IntegerEmitter::emitInteger(const Expr &expr, const Bounds &bounds, Positions over) {
  int bits = bitsFor(bounds);
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
  case Op::Abs:
    return absolute(integer(expr->operands[0]), bits, over);
  case Op::Hash:
    return hash(expr, over);
  case Op::Log2:
    return log2(integer(expr->operands[0]), over);
  case Op::Segment:
    return segment(expr, over);
  case Op::Drawn:
    return drawn(expr, over);
  case Op::Select:
    return select(expr, bits, over);
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

Value IntegerEmitter::absolute(const Number &of, int bits, Positions over) {
  if (of.bounds.low >= 0)
    return number(of, bits, over);
  int wide = bitsFor(of.bounds); // |INT32_MIN| is 2^31, which fits 32 unsigned bits
  Value value = number(of, wide, over), zero = constant(0, wide, over);
  Value negated = arith::SubIOp::create(b, zero, value);
  Value isNegative = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, value, zero);
  Value result = arith::SelectOp::create(b, isNegative, negated, value);
  return wide == bits ? result : truncate(result, over);
}

/// Sums and products: modulo 2^32 they need only the low bits of their operands.
Value IntegerEmitter::ring(const Expr &expr, int bits, Positions over) {
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

Value IntegerEmitter::low32(const Expr &expr, Positions over) {
  Bounds bounds = *facts.bounds(expr);
  if (bounds.low == bounds.high)
    return constant(bounds.low, 32, over);
  return raise(lowBits(expr), over);
}

/// The low 32 bits of a number, without its high ones where they can be done without.
Term IntegerEmitter::lowBits(const Expr &expr) {
  if (auto known = lows.find(expr.get()); known != lows.end())
    return known->second;
  Positions over = facts.positions(expr);
  bool isRing = expr->op == Op::Negate || expr->op == Op::Add || expr->op == Op::Subtract ||
                expr->op == Op::Multiply;
  Value value = isRing && !isNarrow(*facts.bounds(expr)) ? ring(expr, 32, over)
                                                         : number(integer(expr), 32, over);
  return lows[expr.get()] = {value, over};
}

/// Floor division and its remainder.
Value IntegerEmitter::divide(const Expr &expr, Positions over) {
  Number left = integer(expr->operands[0]), right = integer(expr->operands[1]);
  Bounds bounds = *facts.bounds(expr);
  int resultBits = bitsFor(bounds);
  if (right.isConstant() && right.bounds.low > 0) {
    int64_t by = right.bounds.low;
    if (std::has_single_bit(static_cast<uint64_t>(by)))
      return divideByPower(expr, left, by, over);
    if (left.bounds.low > -by && left.bounds.high < by && by <= INT32_MAX)
      return divideSmall(expr->op, left, by, over);
  }
  Reading how = readingOf(left, right, &bounds);
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
Value IntegerEmitter::divideByPower(const Expr &expr, const Number &left, int64_t by,
                                    Positions over) {
  Bounds bounds = *facts.bounds(expr);
  int resultBits = bitsFor(bounds);
  if (expr->op == Op::Modulo) { // of low bits alone
    Value value = resultBits == 32 ? low32(expr->operands[0], over) : number(left, 64, over);
    return arith::AndIOp::create(b, value, constant(by - 1, resultBits, over));
  }
  int bits = bitsFor(left.bounds);
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
Value IntegerEmitter::divideSmall(Op op, const Number &left, int64_t by, Positions over) {
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
Value IntegerEmitter::divideSigned(Op op, const Number &left, const Number &right, int bits,
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
  Value inexact = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, remainder, zero);
  Value signs = arith::XOrIOp::create(b, remainder, divisor);
  Value differ = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, signs, zero);
  Value wrong = arith::AndIOp::create(b, inexact, differ);
  if (op == Op::FloorDivide)
    return arith::SelectOp::create(
        b, wrong, arith::SubIOp::create(b, quotient, constant(1, bits, over)), quotient);
  return arith::SelectOp::create(b, wrong, arith::AddIOp::create(b, remainder, divisor), remainder);
}

Value IntegerEmitter::extreme(Op op, const Number &left, const Number &right, const Bounds &bounds,
                              Positions over) {
  Reading how = readingOf(left, right);
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

/// What a hash multiplies its operands by.
constexpr std::array<uint32_t, 3> kHashFactors = {0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D};

/// hash32 of Evaluate.h, on low bits throughout.
Value IntegerEmitter::hash(const Expr &expr, Positions over) {
  SmallVector<Term> products;
  int64_t known = 0;
  for (size_t i = 0; i < 3; ++i) {
    const Expr &operand = expr->operands[i];
    Bounds bounds = *facts.bounds(operand);
    if (bounds.low == bounds.high) {
      known += static_cast<int64_t>(static_cast<uint32_t>(bounds.low) * kHashFactors[i]);
      continue;
    }
    Positions on = facts.positions(operand);
    Value factor = constant(kHashFactors[i], 32, on);
    products.push_back({arith::MulIOp::create(b, low32(operand, on), factor), on});
  }
  llvm::stable_sort(products, [](const Term &x, const Term &y) { return x.over < y.over; });
  return hash(products, known, over);
}

Value IntegerEmitter::hash(ArrayRef<Term> products, int64_t known, Positions over) {
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

/// Of zeros before the first one; of what is below 1 all bits, which gives -1.
Value IntegerEmitter::log2(const Number &of, Positions over) {
  int bits = bitsFor(of.bounds);
  Value x = number(of, bits, over);
  if (of.bounds.low < 0)
    x = arith::MaxSIOp::create(b, x, constant(0, bits, over));
  Value zeros = math::CountLeadingZerosOp::create(b, x);
  Value result = arith::SubIOp::create(b, constant(bits - 1, bits, over), zeros);
  return bits == 32 ? result : truncate(result, over);
}

/// Brought into a range of 32 bits, in 32 bits.
Number IntegerEmitter::within(const Number &of, Bounds to) {
  int bits = fitsSigned(of.bounds) ? 32 : 64;
  Value x = number(of, bits, of.over);
  if (of.bounds.low < to.low)
    x = arith::MaxSIOp::create(b, x, constant(to.low, bits, of.over));
  if (of.bounds.high > to.high)
    x = arith::MinSIOp::create(b, x, constant(to.high, bits, of.over));
  Number result;
  result.value = bits == 32 ? x : truncate(x, of.over);
  result.over = of.over;
  result.bounds = to;
  return result;
}

/// Comparisons with the values of a short list; in a longer one a search, whose steps are the same
/// for every element.
Value IntegerEmitter::segment(const Expr &expr, Positions over) {
  constexpr size_t kFew = 4;
  std::vector<int32_t> values = expr->list->values;
  Number of = within(integer(expr->operands[0]), {int64_t(values.front()) - 1, values.back()});
  Value x = number(of, 32, over), found = constant(0, 32, over);
  Value one = constant(1, 32, over);
  if (values.size() <= kFew) {
    for (int32_t value : values) {
      Value isUp =
          arith::CmpIOp::create(b, arith::CmpIPredicate::sle, constant(value, 32, over), x);
      Value more = arith::SelectOp::create(b, isUp, one, constant(0, 32, over));
      found = arith::AddIOp::create(b, found, more);
    }
    return found;
  }
  size_t last = std::bit_floor(values.size());
  values.resize(2 * last - 1, INT32_MAX); // above every x
  auto table = b.getDenseI32ArrayAttr(values);
  for (size_t step = last; step > 0; step /= 2) {
    Value next = arith::AddIOp::create(b, found, constant(int64_t(step), 32, over));
    Value at = arith::SubIOp::create(b, next, one);
    Value value = tile::LookupOp::create(b, at.getType(), table, at);
    Value isUp = arith::CmpIOp::create(b, arith::CmpIPredicate::sle, value, x);
    found = arith::SelectOp::create(b, isUp, next, found);
  }
  return found;
}

/// drawnValue of Evaluate.h: remainders by m, which is below 2^31, of unsigned numbers.
Value IntegerEmitter::drawn(const Expr &expr, Positions over) {
  Number m = within(integer(expr->operands[2]), {1, kMostDrawnFrom});
  Value size = number(m, 32, over);
  Expr by = make(Op::Max, {make(Op::Min, {expr->operands[2], sparsec::integer(kMostDrawnFrom)}),
                           sparsec::integer(1)});
  Expr first = make(Op::Modulo, {expr->operands[0], by});
  Value x = number(integer(first), 32, over);
  auto low = [&](size_t i) { return low32(expr->operands[i], over); };
  auto times = [&](Value value, size_t i) {
    return Term{arith::MulIOp::create(b, value, constant(kHashFactors[i], 32, over)), over};
  };
  auto known = [&](int64_t value, size_t i) {
    return static_cast<int64_t>(static_cast<uint32_t>(value) * kHashFactors[i]);
  };
  auto remainder = [&](Value value) -> Value { return arith::RemUIOp::create(b, value, size); };
  Term ofRow = times(low(1), 0), ofSeed = times(low(3), 2);
  for (int64_t c = 0; c < kDrawRounds; ++c) {
    Value a = hash({ofRow, ofSeed}, known(c, 1), over), inside = remainder(a);
    // a - x modulo m, both below m
    Value difference = arith::SubIOp::create(b, inside, x);
    Value above = arith::AddIOp::create(b, difference, size);
    Value isBelow = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, inside, x);
    Value y = arith::SelectOp::create(b, isBelow, above, difference);
    Value larger = arith::MaxUIOp::create(b, x, y);
    Value bits = hash({times(larger, 0), times(a, 1)}, known(c, 2), over);
    Value odd = arith::AndIOp::create(b, bits, constant(1, 32, over));
    Value isOdd = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, odd, constant(0, 32, over));
    x = arith::SelectOp::create(b, isOdd, y, x);
  }
  Value turn = remainder(hash({ofRow, ofSeed}, known(kDrawRounds, 1), over));
  return remainder(arith::AddIOp::create(b, x, turn));
}

Value IntegerEmitter::select(const Expr &expr, int bits, Positions over) {
  Number first = integer(expr->operands[1]), second = integer(expr->operands[2]);
  Value condition = raise(truth(expr->operands[0]), over);
  return arith::SelectOp::create(b, condition, number(first, bits, over),
                                 number(second, bits, over));
}

} // namespace sparsec
