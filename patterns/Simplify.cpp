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
#include "patterns/Constraint.h"

#include <algorithm>
#include <limits>

namespace sparsec {

namespace {

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
  case Op::Log2:
  case Op::Segment:
  case Op::Drawn:
  case Op::Select:
  case Op::Not:
    break;
  }
  return op;
}

Simple comparison(const Expr &expr, Op op) {
  auto asWritten = [&] { return Simple{make(op, expr->operands, expr->where), {}, {}}; };
  std::optional<Linear> difference =
      combine(linear(expr->operands[1]), -1, linear(expr->operands[0]));
  if (!difference || difference->constant == std::numeric_limits<int64_t>::min())
    return asWritten();
  if (difference->terms.empty())
    return truth(!valuesOf(op, 0, {difference->constant, difference->constant}).empty());
  Simple simple = simpleOf(constraintOf(*difference, op));
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
  case Op::Log2:
  case Op::Segment:
  case Op::Drawn:
  case Op::Select:
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
