// The canonical form of a predicate.
//
//   causal and 0 <= q - k < l and not k == q      ->   0 < q - k < l, as  k < q and q - k < l
//
// Negations go down to the comparisons. A comparison becomes "sum in set": the difference of its
// sides as a Linear without constant, in lowest terms and with a positive first coefficient, and
// the set of values that make it true, as intervals. Conjunctions intersect and disjunctions unite
// the sets of equal sums, so what is decided by comparing one sum with several numbers is decided
// here: `k <= q and q - k < 0` is False. What is left is sorted and each thing is said once.
//
// Equivalent wherever a pattern has a meaning (see bounds()); idempotent.
#include "patterns/Linear.h"

#include <algorithm>
#include <limits>

namespace sparsec {

namespace {

/// Disjoint, not touching, ascending.
using Intervals = std::vector<WideBounds>;

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

/// `sum` is in `values`, a subset of its `domain`.
struct Constraint {
  Linear sum;
  WideBounds domain;
  Intervals values;
};

/// A predicate in canonical form. `parts` are the operands of an And or Or that no single
/// constraint says.
struct Simple {
  Expr expr;
  std::optional<Constraint> constraint;
  std::vector<Simple> parts;
};

Simple truth(bool value) {
  return {leaf(value ? Op::True : Op::False), {}, {}};
}

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

/// The operands below a chain of one operator.
void collect(const Expr &expr, Op op, std::vector<Expr> &operands) {
  if (expr->op != op) {
    operands.push_back(expr);
    return;
  }
  for (const Expr &operand : expr->operands)
    collect(operand, op, operands);
}

/// Small ones first: they are cheap to decide and easy to read.
bool before(const Expr &a, const Expr &b) {
  return a->size != b->size ? a->size < b->size : compare(a, b) < 0;
}

Expr sortedChain(Op op, const std::vector<Expr> &exprs) {
  std::vector<Expr> operands;
  for (const Expr &expr : exprs)
    collect(expr, op, operands);
  std::sort(operands.begin(), operands.end(), before);
  operands.erase(std::unique(operands.begin(), operands.end(), equal), operands.end());
  return chain(op, std::move(operands));
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

Simple simpleOf(Constraint constraint) {
  Expr expr = tell(constraint);
  if (expr->op == Op::True || expr->op == Op::False)
    return {expr, {}, {}};
  return {std::move(expr), std::move(constraint), {}};
}

Op opposite(Op op) {
  switch (op) {
  case Op::Less:
    return Op::GreaterEqual;
  case Op::LessEqual:
    return Op::Greater;
  case Op::Greater:
    return Op::LessEqual;
  case Op::GreaterEqual:
    return Op::Less;
  case Op::Equal:
    return Op::NotEqual;
  case Op::NotEqual:
    return Op::Equal;
  case Op::True:
    return Op::False;
  case Op::False:
    return Op::True;
  case Op::And:
    return Op::Or;
  case Op::Or:
    return Op::And;
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
  case Op::Not:
    break;
  }
  return op;
}

/// The values of `sum` that make `sum op number` true.
Intervals valuesOf(Op op, Wide number, const WideBounds &domain) {
  Wide low = domain.low, high = domain.high;
  switch (op) {
  case Op::NotEqual:
    return complement(valuesOf(Op::Equal, number, domain), domain);
  case Op::Equal:
    low = std::max(low, number);
    high = std::min(high, number);
    break;
  case Op::Less:
    high = std::min(high, number - 1);
    break;
  case Op::LessEqual:
    high = std::min(high, number);
    break;
  case Op::Greater:
    low = std::max(low, number + 1);
    break;
  default:
    low = std::max(low, number);
    break;
  }
  if (low > high)
    return {};
  return {{low, high}};
}

/// Divides by the common factor and turns the first coefficient positive.
Constraint lowestTerms(Linear sum, Op op) {
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

Simple comparison(const Expr &expr, Op op) {
  auto asWritten = [&] { return Simple{make(op, expr->operands, expr->where), {}, {}}; };
  std::optional<Linear> difference =
      combine(linear(expr->operands[1]), -1, linear(expr->operands[0]));
  if (!difference || difference->constant == std::numeric_limits<int64_t>::min())
    return asWritten();
  if (difference->terms.empty())
    return truth(!valuesOf(op, 0, {difference->constant, difference->constant}).empty());
  Simple simple = simpleOf(lowestTerms(*std::move(difference), op));
  // Taking the sides together may leave 64 bits where each alone does not.
  if (simple.constraint && (simple.constraint->domain.low < std::numeric_limits<int64_t>::min() ||
                            simple.constraint->domain.high > std::numeric_limits<int64_t>::max() ||
                            !bounds(render(simple.constraint->sum))))
    return asWritten();
  return simple;
}

/// And (or Or, with the sets united instead) of canonical predicates.
class Junction {
public:
  explicit Junction(Op op) : op(op) {}

  void add(Simple simple) {
    if (simple.expr->op == (op == Op::And ? Op::False : Op::True))
      decided = true;
    if (decided || simple.expr->op == Op::True || simple.expr->op == Op::False)
      return;
    if (simple.constraint) {
      addConstraint(*std::move(simple.constraint));
    } else if (simple.expr->op == op) {
      for (Simple &part : simple.parts)
        add(std::move(part));
    } else {
      others.push_back(std::move(simple));
    }
  }

  Simple done() && {
    std::vector<Simple> parts;
    for (Constraint &group : groups) {
      Simple simple = simpleOf(std::move(group));
      if (simple.expr->op == (op == Op::And ? Op::False : Op::True))
        decided = true;
      if (simple.constraint)
        parts.push_back(std::move(simple));
    }
    if (decided)
      return truth(op == Op::Or);
    for (Simple &other : others)
      parts.push_back(std::move(other));
    if (parts.empty())
      return truth(op == Op::And);
    if (parts.size() == 1)
      return std::move(parts[0]);
    std::vector<Expr> exprs;
    for (const Simple &part : parts)
      exprs.push_back(part.expr);
    Expr expr = sortedChain(op, exprs);
    if (expr->op != op) // all others were the same
      return std::move(parts[0]);
    return {std::move(expr), {}, std::move(parts)};
  }

private:
  void addConstraint(Constraint constraint) {
    auto [place, isNew] = groupOf.emplace(render(constraint.sum), groups.size());
    if (isNew) {
      groups.push_back(std::move(constraint));
      return;
    }
    Constraint &group = groups[place->second];
    const WideBounds &domain = group.domain;
    if (op == Op::Or)
      group.values = unite(group.values, constraint.values);
    else
      group.values = complement(
          unite(complement(group.values, domain), complement(constraint.values, domain)), domain);
  }

  Op op;
  bool decided = false;
  std::map<Expr, size_t, Linear::Before> groupOf;
  std::vector<Constraint> groups;
  std::vector<Simple> others;
};

Simple simplified(const Expr &expr, bool negated) {
  Op op = negated ? opposite(expr->op) : expr->op;
  switch (op) {
  case Op::True:
  case Op::False:
    return truth(op == Op::True);
  case Op::Not:
    return simplified(expr->operands[0], !negated);
  case Op::And:
  case Op::Or: {
    Junction junction(op);
    std::vector<Expr> operands; // the whole chain at once
    collect(expr, expr->op, operands);
    for (const Expr &operand : operands)
      junction.add(simplified(operand, negated));
    return std::move(junction).done();
  }
  case Op::Less:
  case Op::LessEqual:
  case Op::Greater:
  case Op::GreaterEqual:
  case Op::Equal:
  case Op::NotEqual:
    return comparison(expr, op);
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
    break;
  }
  assert(false && "an integer is no predicate");
  return truth(false);
}

} // namespace

Expr simplify(const Expr &expr) {
  return simplified(expr, false).expr;
}

} // namespace sparsec
