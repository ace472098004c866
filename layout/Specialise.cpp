#include "layout/Specialise.h"

#include <algorithm>
#include <bit>
#include <tuple>

namespace sparsec {

namespace {

class Specialiser {
public:
  Specialiser(const Rectangle &rectangle, int64_t h, const Sizes &sizes)
      : rectangle(rectangle), h(h), sizes(sizes) {}

  Expr predicate(const Expr &expr) const {
    switch (expr->op) {
    case Op::And:
    case Op::Or:
      return connective(expr);
    case Op::Not: {
      Expr operand = predicate(expr->operands[0]);
      if (operand->op == Op::True || operand->op == Op::False)
        return make(operand->op == Op::True ? Op::False : Op::True, {});
      return operand == expr->operands[0] ? expr : make(Op::Not, {operand});
    }
    case Op::Less:
    case Op::LessEqual:
    case Op::Greater:
    case Op::GreaterEqual:
    case Op::Equal:
    case Op::NotEqual:
      return comparison(expr);
    case Op::True:
    case Op::False:
    case Op::Integer:
    case Op::Query:
    case Op::Key:
    case Op::Head:
    case Op::Keys:
    case Op::Queries:
    case Op::Negate:
    case Op::Add:
    case Op::Subtract:
    case Op::Multiply:
    case Op::FloorDivide:
    case Op::Modulo:
    case Op::Min:
    case Op::Max:
    case Op::Abs:
    case Op::Hash:
    case Op::Log2:
    case Op::Segment:
    case Op::Drawn:
    case Op::Select:
      return expr;
    }
    return expr;
  }

private:
  Expr connective(const Expr &expr) const {
    // What decides the whole by itself: False for And, True for Or.
    Op decisive = expr->op == Op::And ? Op::False : Op::True;
    Op neutral = expr->op == Op::And ? Op::True : Op::False;
    Expr left = predicate(expr->operands[0]);
    if (left->op == decisive)
      return left;
    Expr right = predicate(expr->operands[1]);
    if (right->op == decisive || left->op == neutral)
      return right;
    if (right->op == neutral)
      return left;
    if (left == expr->operands[0] && right == expr->operands[1])
      return expr;
    return make(expr->op, {left, right});
  }

  Expr comparison(const Expr &expr) const {
    switch (classify(expr, rectangle, h, sizes)) {
    case Coverage::Empty:
      return make(Op::False, {});
    case Coverage::Full:
      return make(Op::True, {});
    case Coverage::Mixed:
      break;
    }
    return withIntegers(expr);
  }

  /// The same node over operands in which all that is constant here is one integer.
  Expr withIntegers(const Expr &expr) const {
    if (expr->op == Op::Select)
      return choice(expr);
    std::vector<Expr> operands;
    bool changed = false;
    for (const Expr &operand : expr->operands) {
      operands.push_back(constant(operand) ? asInteger(operand) : withIntegers(operand));
      changed |= operands.back() != operand;
    }
    Expr result = changed ? rebuilt(expr, std::move(operands)) : expr;
    return expr->op == Op::Drawn || expr->op == Op::Segment ? settled(result) : result;
  }

  /// A search that finds one value in the whole rectangle is that value.
  Expr settled(const Expr &expr) const {
    Point corner = {.h = h, .q = rectangle.q.first, .k = rectangle.k.first};
    Expr value = integer(evaluateInteger(expr, corner, sizes));
    bool one = classify(make(Op::Equal, {expr, value}), rectangle, h, sizes) == Coverage::Full;
    return one ? value : expr;
  }

  Expr choice(const Expr &expr) const {
    Expr condition = predicate(expr->operands[0]);
    if (condition->op == Op::True || condition->op == Op::False) {
      const Expr &chosen = expr->operands[condition->op == Op::True ? 1 : 2];
      return constant(chosen) ? asInteger(chosen) : withIntegers(chosen);
    }
    std::vector<Expr> operands = {condition};
    for (size_t i : {1, 2}) {
      const Expr &operand = expr->operands[i];
      operands.push_back(constant(operand) ? asInteger(operand) : withIntegers(operand));
    }
    return operands == expr->operands ? expr : rebuilt(expr, std::move(operands));
  }

  Expr asInteger(const Expr &expr) const {
    return expr->op == Op::Integer ? expr : integer(evaluateInteger(expr, {.h = h}, sizes));
  }

  static bool constant(const Expr &expr) {
    if (expr->op == Op::Query || expr->op == Op::Key)
      return false;
    for (const Expr &operand : expr->operands)
      if (!constant(operand))
        return false;
    return true;
  }

  const Rectangle &rectangle;
  int64_t h;
  Sizes sizes;
};

} // namespace

Expr specialise(const Expr &predicate, const Rectangle &rectangle, int64_t h, const Sizes &sizes) {
  return Specialiser(rectangle, h, sizes).predicate(predicate);
}

std::pair<Range, Range> halves(const Range &range) {
  assert(range.count >= 2);
  // The number in (first, last] with the most trailing zeros: the bits that both share, then a one.
  // Counted from far below 0, which is a multiple of every power of two that matters.
  constexpr int64_t kFar = int64_t{1} << 40;
  int64_t index = range.step == 1 ? range.first + kFar : 0;
  auto low = static_cast<uint64_t>(index), high = static_cast<uint64_t>(index + range.count - 1);
  int top = 63 - std::countl_zero(low ^ high);
  int64_t cut = static_cast<int64_t>(high >> top << top) - index;
  Range left = {.first = range.first, .step = range.step, .count = cut};
  Range right = {
      .first = range.first + cut * range.step, .step = range.step, .count = range.count - cut};
  return {left, right};
}

std::pair<Rectangle, Rectangle> halves(const Rectangle &rectangle) {
  constexpr int64_t kFewKeys = 32;
  const auto &[q, k] = rectangle;
  Rectangle first = rectangle, second = rectangle;
  bool cutQueries = q.count > 1 && (q.count >= k.count || k.count <= kFewKeys);
  if (cutQueries)
    std::tie(first.q, second.q) = halves(q);
  else
    std::tie(first.k, second.k) = halves(k);
  return {first, second};
}

Range hull(const std::vector<Range> &ranges) {
  int64_t first = ranges[0].first, last = ranges[0].last();
  for (const Range &range : ranges) {
    first = std::min(first, range.first);
    last = std::max(last, range.last());
  }
  return {.first = first, .step = 1, .count = last - first + 1};
}

} // namespace sparsec
