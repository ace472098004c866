#include "patterns/Evaluate.h"

#include <algorithm>
#include <bit>

namespace sparsec {

int64_t floorDivide(int64_t a, int64_t b) {
  int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

int64_t floorModulo(int64_t a, int64_t b) {
  if (b == -1)
    return 0; // INT64_MIN % -1 overflows in C++
  int64_t remainder = a % b;
  return remainder != 0 && (a < 0) != (b < 0) ? remainder + b : remainder;
}

int64_t hash32(int64_t q, int64_t k, int64_t seed) {
  uint32_t x = static_cast<uint32_t>(q) * 0x9E3779B1u + static_cast<uint32_t>(k) * 0x85EBCA77u +
               static_cast<uint32_t>(seed) * 0xC2B2AE3Du;
  x ^= x >> 16;
  x *= 0x7FEB352Du;
  x ^= x >> 15;
  x *= 0x846CA68Bu;
  x ^= x >> 16;
  return x;
}

int64_t floorLog2(int64_t x) {
  return x < 1 ? -1 : std::bit_width(static_cast<uint64_t>(x)) - 1;
}

int64_t drawnValue(int64_t place, int64_t i, int64_t m, int64_t seed) {
  m = std::clamp<int64_t>(m, 1, kMostDrawnFrom);
  int64_t x = floorModulo(place, m);
  for (int64_t c = 0; c < kDrawRounds; ++c) {
    int64_t a = hash32(i, c, seed), y = floorModulo(a % m - x, m);
    if (hash32(std::max(x, y), a, c) & 1)
      x = y;
  }
  return (x + hash32(i, kDrawRounds, seed) % m) % m;
}

namespace {

/// What an operator of two operands makes of them; truth is 0 or 1.
inline int64_t binary(Op op, int64_t a, int64_t b) {
  switch (op) {
  case Op::Add:
    return a + b;
  case Op::Subtract:
    return a - b;
  case Op::Multiply:
    return a * b;
  case Op::FloorDivide:
    return floorDivide(a, b);
  case Op::Modulo:
    return floorModulo(a, b);
  case Op::Min:
    return std::min(a, b);
  case Op::Max:
    return std::max(a, b);
  case Op::Less:
    return a < b;
  case Op::LessEqual:
    return a <= b;
  case Op::Greater:
    return a > b;
  case Op::GreaterEqual:
    return a >= b;
  case Op::Equal:
    return a == b;
  case Op::NotEqual:
    return a != b;
  case Op::And:
    return a & b;
  case Op::Or:
    return a | b;
  case Op::Integer:
  case Op::Query:
  case Op::Key:
  case Op::Head:
  case Op::Keys:
  case Op::Queries:
  case Op::Negate:
  case Op::Abs:
  case Op::Hash:
  case Op::Log2:
  case Op::Segment:
  case Op::Drawn:
  case Op::Select:
  case Op::True:
  case Op::False:
  case Op::Not:
    break;
  }
  assert(false && "not an operator of two operands");
  return 0;
}

/// The value of any expression; truth is 0 or 1. The definition of what a pattern means.
int64_t valueOf(const Node &node, const Point &point, const Sizes &sizes) {
  auto operand = [&](size_t i) { return valueOf(*node.operands[i], point, sizes); };
  switch (node.op) {
  case Op::Integer:
    return node.value;
  case Op::Query:
    return point.q;
  case Op::Key:
    return point.k;
  case Op::Head:
    return point.h;
  case Op::Keys:
    return sizes.nk;
  case Op::Queries:
    return sizes.nq;
  case Op::True:
    return 1;
  case Op::False:
    return 0;
  case Op::Negate:
    return -operand(0);
  case Op::Abs:
    return std::abs(operand(0));
  case Op::Not:
    return !operand(0);
  case Op::Hash:
    return hash32(operand(0), operand(1), operand(2));
  case Op::Log2:
    return floorLog2(operand(0));
  case Op::Segment:
    return node.list->countUpTo(operand(0));
  case Op::Drawn:
    return drawnValue(operand(0), operand(1), operand(2), operand(3));
  case Op::Select:
    return operand(0) ? operand(1) : operand(2);
  case Op::And: // the right side has no effects, so skipping it is only speed
    return operand(0) && operand(1);
  case Op::Or:
    return operand(0) || operand(1);
  case Op::Add:
  case Op::Subtract:
  case Op::Multiply:
  case Op::FloorDivide:
  case Op::Modulo:
  case Op::Min:
  case Op::Max:
  case Op::Less:
  case Op::LessEqual:
  case Op::Greater:
  case Op::GreaterEqual:
  case Op::Equal:
  case Op::NotEqual:
    return binary(node.op, operand(0), operand(1));
  }
  return 0;
}

} // namespace

bool evaluate(const Expr &predicate, const Point &point, const Sizes &sizes) {
  assert(isPredicate(predicate->op));
  return valueOf(*predicate, point, sizes) != 0;
}

int64_t evaluateInteger(const Expr &expr, const Point &point, const Sizes &sizes) {
  assert(!isPredicate(expr->op));
  return valueOf(*expr, point, sizes);
}

} // namespace sparsec
