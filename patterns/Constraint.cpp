#include "patterns/Constraint.h"

#include <algorithm>
#include <tuple>

namespace sparsec {

Intervals unite(Intervals a, const Intervals &b) {
  a.insert(a.end(), b.begin(), b.end());
  std::sort(a.begin(), a.end(), [](auto &x, auto &y) { return x.low < y.low; });
  Intervals out;
  for (const WideBounds &next : a) {
    if (!out.empty() && next.low <= out.back().high + 1)
      out.back().high = std::max(out.back().high, next.high);
    else
      out.push_back(next);
  }
  return out;
}

Intervals complement(const Intervals &a, const WideBounds &domain) {
  Intervals out;
  Wide low = domain.low;
  for (const WideBounds &interval : a) {
    if (low < interval.low)
      out.push_back({low, interval.low - 1});
    low = interval.high + 1;
  }
  if (low <= domain.high)
    out.push_back({low, domain.high});
  return out;
}

namespace {

/// Comparisons of one sum with numbers.
class Teller {
public:
  explicit Teller(const Linear &sum) : sum(sum) {
    for (const auto &[atom, coefficient] : sum.terms)
      (coefficient > 0 ? added : taken)
          .terms.emplace(atom, coefficient > 0 ? coefficient : -coefficient);
  }

  Expr atLeast(Wide bound) const {
    if (apart() && bound == 0)
      return make(Op::LessEqual, {render(taken), render(added)});
    if (apart() && bound == 1)
      return make(Op::Less, {render(taken), render(added)});
    return make(Op::GreaterEqual, {render(sum), number(bound)});
  }
  Expr below(Wide bound) const {
    if (apart() && bound == 0)
      return make(Op::Less, {render(added), render(taken)});
    if (apart() && bound == 1)
      return make(Op::LessEqual, {render(added), render(taken)});
    return make(Op::Less, {render(sum), number(bound)});
  }
  /// Equal or NotEqual.
  Expr compared(Op op, Wide value) const {
    if (apart() && value == 0)
      return make(op, {render(added), render(taken)});
    return make(op, {render(sum), number(value)});
  }

private:
  /// Both sides of `added - taken` can be told from each other: k <= q, not q - k >= 0.
  bool apart() const { return !added.terms.empty() && !taken.terms.empty(); }
  static Expr number(Wide value) { return integer(static_cast<int64_t>(value)); }

  const Linear &sum;
  Linear added, taken;
};

Expr chain(Op op, std::vector<Expr> operands) {
  // A long chain is halved, so that depth stays far from kMaxDepth.
  constexpr size_t kLongest = 256;
  if (operands.size() > kLongest) {
    auto middle = operands.begin() + static_cast<long>(operands.size() / 2);
    return make(op, {chain(op, {operands.begin(), middle}), chain(op, {middle, operands.end()})});
  }
  Expr all = operands[0];
  for (size_t i = 1; i < operands.size(); ++i)
    all = make(op, {all, operands[i]});
  return all;
}

/// Small ones first: they are cheap to decide and easy to read.
bool before(const Expr &a, const Expr &b) {
  return a->size != b->size ? a->size < b->size : compare(a, b) < 0;
}

/// Inside one interval of a domain.
std::vector<Expr> boundsTold(const Teller &teller, const WideBounds &in, const WideBounds &domain) {
  if (in.low == in.high)
    return {teller.compared(Op::Equal, in.low)};
  std::vector<Expr> told;
  if (in.low > domain.low)
    told.push_back(teller.atLeast(in.low));
  if (in.high < domain.high)
    told.push_back(teller.below(in.high + 1));
  return told;
}

} // namespace

void collect(const Expr &expr, Op op, std::vector<Expr> &operands) {
  if (expr->op != op) {
    operands.push_back(expr);
    return;
  }
  for (const Expr &operand : expr->operands)
    collect(operand, op, operands);
}

Expr sortedChain(Op op, const std::vector<Expr> &exprs) {
  std::vector<Expr> operands;
  for (const Expr &expr : exprs)
    collect(expr, op, operands);
  std::sort(operands.begin(), operands.end(), before);
  operands.erase(std::unique(operands.begin(), operands.end(), equal), operands.end());
  return chain(op, std::move(operands));
}

Expr tell(const Constraint &constraint) {
  const Intervals &values = constraint.values;
  const WideBounds &domain = constraint.domain;
  if (values.empty())
    return leaf(Op::False);
  if (values.size() == 1 && values[0].low <= domain.low && values[0].high >= domain.high)
    return leaf(Op::True);
  Teller teller(constraint.sum);
  bool pointGaps = true; // an interval with single values missing
  for (size_t i = 1; i < values.size(); ++i)
    pointGaps = pointGaps && values[i].low - values[i - 1].high == 2;
  if (pointGaps) {
    std::vector<Expr> all = boundsTold(teller, {values.front().low, values.back().high}, domain);
    for (size_t i = 1; i < values.size(); ++i)
      all.push_back(teller.compared(Op::NotEqual, values[i].low - 1));
    return sortedChain(Op::And, all);
  }
  std::vector<Expr> any;
  for (const WideBounds &interval : values)
    any.push_back(sortedChain(Op::And, boundsTold(teller, interval, domain)));
  return sortedChain(Op::Or, any);
}

Intervals valuesOf(Op op, Wide number, const WideBounds &domain) {
  if (op == Op::NotEqual)
    return complement(valuesOf(Op::Equal, number, domain), domain);
  Wide low = domain.low, high = domain.high;
  if (op == Op::Less)
    high = std::min(high, number - 1);
  if (op == Op::LessEqual || op == Op::Equal)
    high = std::min(high, number);
  if (op == Op::Greater)
    low = std::max(low, number + 1);
  if (op == Op::GreaterEqual || op == Op::Equal)
    low = std::max(low, number);
  if (low > high)
    return {};
  return {{low, high}};
}

Constraint constraintOf(const Linear &sum, Op op) {
  Wide factor = 0;
  for (const auto &[atom, coefficient] : sum.terms) {
    Wide a = factor, b = coefficient < 0 ? -Wide(coefficient) : Wide(coefficient);
    while (b != 0)
      std::tie(a, b) = std::pair(b, a % b);
    factor = a;
  }
  bool flip = sum.terms.begin()->second < 0;
  Wide target = -Wide(sum.constant); // sum without its constant, compared with this
  Constraint constraint;
  for (const auto &[atom, coefficient] : sum.terms) {
    Wide reduced = Wide(coefficient) / factor * (flip ? -1 : 1);
    constraint.sum.terms.emplace(atom, static_cast<int64_t>(reduced));
  }
  WideBounds whole = boundsOf(sum); // of the sum before it is reduced: an integer interval
  constraint.domain = boundsOf(constraint.sum);
  Intervals unreduced = valuesOf(op, target, {whole.low + target, whole.high + target});
  for (WideBounds interval : unreduced) {
    if (flip)
      interval = {-interval.high, -interval.low};
    auto down = [&](Wide x) { return x >= 0 ? x / factor : -((-x + factor - 1) / factor); };
    WideBounds reduced{-down(-interval.low), down(interval.high)};
    if (reduced.low <= reduced.high)
      constraint.values = unite(constraint.values, {reduced});
  }
  return constraint;
}

} // namespace sparsec
