#include "patterns/Guards.h"

#include "patterns/Constraint.h"

#include <algorithm>
#include <limits>

namespace sparsec {

namespace {

using Fact = Guards::Fact;

void collectFacts(const Expr &expr, bool holds, std::vector<Fact> &facts) {
  constexpr size_t kMostFacts = 64; // what is said first bounds most
  if (facts.size() >= kMostFacts)
    return;
  switch (expr->op) {
  case Op::Not:
    return collectFacts(expr->operands[0], !holds, facts);
  case Op::And:
  case Op::Or:
    if ((expr->op == Op::And) != holds)
      return; // only one of them holds
    for (const Expr &operand : expr->operands)
      collectFacts(operand, holds, facts);
    return;
  case Op::Less:
  case Op::LessEqual:
  case Op::Greater:
  case Op::GreaterEqual:
  case Op::Equal:
  case Op::NotEqual:
    break;
  default:
    return;
  }
  std::optional<Linear> difference =
      combine(linear(expr->operands[1]), -1, linear(expr->operands[0]));
  if (!difference || difference->terms.empty())
    return;
  WideBounds domain = boundsOf(*difference);
  Intervals values = valuesOf(expr->op, 0, domain);
  if (!holds)
    values = complement(values, domain);
  if (values.empty())
    return;
  Fact fact{*difference, {values.front().low, values.back().high}};
  fact.sum.constant = 0;
  fact.range.low -= difference->constant;
  fact.range.high -= difference->constant;
  facts.push_back(std::move(fact));
}

/// Bounds of a sum, of which so many times the fact's sum is a part.
std::optional<WideBounds> boundsWith(const Linear &sum, const Fact &fact) {
  const auto &[atom, in] = *fact.sum.terms.begin();
  auto found = sum.terms.find(atom);
  if (found == sum.terms.end() || found->second % in != 0)
    return std::nullopt;
  int64_t times = found->second / in;
  if (times == std::numeric_limits<int64_t>::min())
    return std::nullopt;
  std::optional<Linear> rest = combine(fact.sum, -times, sum);
  if (!rest)
    return std::nullopt;
  WideBounds result = boundsOf(*rest);
  result.low += times * (times > 0 ? fact.range.low : fact.range.high);
  result.high += times * (times > 0 ? fact.range.high : fact.range.low);
  return result;
}

} // namespace

namespace {

/// What the facts leave of an expression's bounds, seen as a sum and as its operator.
Bounds narrow(const Expr &expr, const Bounds &known, const std::vector<Fact> &facts, int levels) {
  Bounds result = known;
  std::vector<Bounds> operands;
  for (const Expr &operand : expr->operands)
    if (std::optional<Bounds> own = isPredicate(operand->op) ? Bounds{} : bounds(operand))
      operands.push_back(levels > 0 && !isPredicate(operand->op)
                             ? narrow(operand, *own, facts, levels - 1)
                             : *own);
  if (levels > 0 && !operands.empty() && operands.size() == expr->operands.size())
    if (BoundsOutcome outcome =
            boundsOf(expr->op, expr->value, expr->list.get(), operands.data(), operands.size());
        outcome.kind == BoundsOutcome::Bounded) {
      result.low = std::max(result.low, outcome.bounds.low);
      result.high = std::min(result.high, outcome.bounds.high);
    }
  Linear sum = linear(expr);
  for (const Fact &fact : facts)
    if (std::optional<WideBounds> range = boundsWith(sum, fact)) {
      if (range->low > result.high || range->high < result.low)
        continue; // nothing is evaluated there
      result.low = static_cast<int64_t>(std::max<Wide>(result.low, range->low));
      result.high = static_cast<int64_t>(std::min<Wide>(result.high, range->high));
    }
  return result;
}

} // namespace

Bounds Guards::narrowed(const Expr &expr, const Bounds &known) const {
  constexpr int kLevels = 6;
  std::vector<Fact> facts;
  for (const Guard &guard : all)
    collectFacts(guard.predicate, guard.holds, facts);
  return narrow(expr, known, facts, kLevels);
}

} // namespace sparsec
