#include "layout/Specialise.h"

#include "patterns/Strided.h"

#include <algorithm>
#include <array>
#include <bit>
#include <tuple>

namespace sparsec {

namespace {

using strided::Domain;
using strided::Value;
__extension__ typedef __int128 Wide;

/// An integer expression under what is known, and its values on the rectangle.
template <class Int>
struct Known {
  Expr expr;
  Value<Int> value;
};

/// Each node once, from the leaves up.
template <class Int>
class Specialiser {
public:
  Specialiser(const Rectangle &rectangle, int64_t h, const Sizes &sizes)
      : domain(rectangle), h(h), sizes(sizes) {}

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
    Known<Int> a = integer(expr->operands[0]), b = integer(expr->operands[1]);
    switch (compared(expr->op, a.value, b.value)) {
    case Coverage::Empty:
      return make(Op::False, {});
    case Coverage::Full:
      return make(Op::True, {});
    case Coverage::Mixed:
      break;
    }
    if (a.expr == expr->operands[0] && b.expr == expr->operands[1])
      return expr;
    return make(expr->op, {a.expr, b.expr});
  }

  Coverage compared(Op op, const Value<Int> &a, const Value<Int> &b) const {
    auto opposite = [](Coverage c) {
      return c == Coverage::Empty  ? Coverage::Full
             : c == Coverage::Full ? Coverage::Empty
                                   : Coverage::Mixed;
    };
    if (op == Op::Less)
      return domain.less(a, b);
    if (op == Op::LessEqual)
      return domain.lessEqual(a, b);
    if (op == Op::Greater)
      return domain.less(b, a);
    if (op == Op::GreaterEqual)
      return domain.lessEqual(b, a);
    return op == Op::Equal ? domain.same(a, b) : opposite(domain.same(a, b));
  }

  /// What is one number here is that integer, a choice whose condition is known what it chooses; a
  /// min, max or abs of which one side is known is that side: a border that is moved inside is none
  /// away from the border.
  Known<Int> integer(const Expr &expr) const {
    if (expr->op == Op::Select)
      return choice(expr);
    std::array<Known<Int>, kMostOperands> operands;
    bool changed = false;
    for (size_t i = 0; i < expr->operands.size(); ++i) {
      operands[i] = integer(expr->operands[i]);
      changed |= operands[i].expr != expr->operands[i];
    }
    Known<Int> known{expr, valueOf(expr, operands)};
    if (expr->op != Op::Integer && known.value.constant())
      known.expr = sparsec::integer(static_cast<int64_t>(known.value.low));
    else if (std::optional<Known<Int>> side = sideOf(expr->op, operands[0], operands[1]))
      return *side;
    else if (changed) {
      std::vector<Expr> exprs;
      for (size_t i = 0; i < expr->operands.size(); ++i)
        exprs.push_back(operands[i].expr);
      known.expr = rebuilt(expr, std::move(exprs));
    }
    return known;
  }

  Known<Int> choice(const Expr &expr) const {
    Expr condition = predicate(expr->operands[0]);
    if (condition->op == Op::True || condition->op == Op::False)
      return integer(expr->operands[condition->op == Op::True ? 1 : 2]);
    Known<Int> a = integer(expr->operands[1]), b = integer(expr->operands[2]);
    Known<Int> known{expr, domain.either(a.value, b.value)};
    if (known.value.constant())
      known.expr = sparsec::integer(static_cast<int64_t>(known.value.low));
    else if (std::vector<Expr> exprs = {condition, a.expr, b.expr}; exprs != expr->operands)
      known.expr = rebuilt(expr, std::move(exprs));
    return known;
  }

  std::optional<Known<Int>> sideOf(Op op, const Known<Int> &a, const Known<Int> &b) const {
    if (op == Op::Abs && a.value.low >= 0)
      return a;
    if (op != Op::Min && op != Op::Max)
      return std::nullopt;
    if (domain.lessEqual(a.value, b.value) == Coverage::Full)
      return op == Op::Min ? a : b;
    if (domain.lessEqual(b.value, a.value) == Coverage::Full)
      return op == Op::Min ? b : a;
    return std::nullopt;
  }

  /// Long: a case for each operator of the language.
  Value<Int> valueOf(const Expr &expr,
                     const std::array<Known<Int>, kMostOperands> &operands) const {
    const Value<Int> &a = operands[0].value, &b = operands[1].value, &c = operands[2].value;
    switch (expr->op) {
    case Op::Integer:
      return domain.number(expr->value);
    case Op::Query:
      return domain.query();
    case Op::Key:
      return domain.key();
    case Op::Head:
      return domain.number(h);
    case Op::Keys:
      return domain.number(sizes.nk);
    case Op::Queries:
      return domain.number(sizes.nq);
    case Op::Negate:
      return domain.negate(a);
    case Op::Add:
      return domain.add(a, b);
    case Op::Subtract:
      return domain.subtract(a, b);
    case Op::Multiply:
      return domain.multiply(a, b);
    case Op::FloorDivide:
      return domain.floorDivide(a, b);
    case Op::Modulo:
      return domain.modulo(a, b);
    case Op::Min:
      return domain.minimum(a, b);
    case Op::Max:
      return domain.maximum(a, b);
    case Op::Abs:
      return domain.absolute(a);
    case Op::Hash:
      return domain.hash(a, b, c);
    case Op::Log2:
      return domain.log2(a);
    case Op::Segment:
      return domain.segment(a, *expr->list);
    case Op::Drawn:
      return domain.drawn(a, b, c, operands[3].value);
    case Op::Select:
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
    assert(false && "a predicate is no integer, a choice has a way of its own");
    return domain.number(0);
  }

  Domain<Int> domain;
  int64_t h;
  Sizes sizes;
};

} // namespace

Expr specialise(const Expr &predicate, const Rectangle &rectangle, int64_t h, const Sizes &sizes) {
  return isNarrow(predicate) ? Specialiser<int64_t>(rectangle, h, sizes).predicate(predicate)
                             : Specialiser<Wide>(rectangle, h, sizes).predicate(predicate);
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
