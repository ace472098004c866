#include "layout/Apart.h"

#include "patterns/Constraint.h"

#include <algorithm>
#include <unordered_map>

namespace sparsec {

namespace {

/// Expressions of q and k as ones of their difference, for which the leaf q stands.
class DifferenceFinder {
public:
  std::optional<Expr> ofComparison(const Expr &expr) {
    std::optional<Linear> sum = combine(linear(expr->operands[1]), -1, linear(expr->operands[0]));
    std::optional<Expr> difference = sum ? of(*sum) : std::nullopt;
    if (!difference)
      return std::nullopt;
    Expr told = make(expr->op, {*difference, integer(0)});
    return isNarrow(told) ? std::optional(told) : std::nullopt;
  }

private:
  static std::optional<Expr> times(int64_t coefficient, const Expr &expr) {
    return coefficient == 1 ? expr : make(Op::Multiply, {integer(coefficient), expr});
  }

  std::optional<Expr> of(const Linear &sum) {
    int64_t ofQuery = 0, ofKey = 0;
    Expr total = integer(sum.constant);
    for (const auto &[atom, coefficient] : sum.terms) {
      if (atom->op == Op::Query || atom->op == Op::Key) {
        (atom->op == Op::Query ? ofQuery : ofKey) = coefficient;
        continue;
      }
      std::optional<Expr> part = ofOperator(atom);
      if (!part)
        return std::nullopt;
      total = make(Op::Add, {total, *times(coefficient, *part)});
    }
    if (ofQuery != -ofKey)
      return std::nullopt;
    return ofQuery == 0 ? total : make(Op::Add, {total, *times(ofQuery, leaf(Op::Query))});
  }

  std::optional<Expr> ofOperator(const Expr &expr) {
    if (expr->operands.empty())
      return expr;
    std::vector<Expr> operands;
    for (const Expr &operand : expr->operands) {
      if (isPredicate(operand->op)) // the condition of a choice
        return std::nullopt;
      std::optional<Expr> part = of(linear(operand));
      if (!part)
        return std::nullopt;
      operands.push_back(*part);
    }
    return rebuilt(expr, std::move(operands));
  }
};

class Taker {
public:
  explicit Taker(Differences apart) : apart(apart) {}

  /// A predicate with what depends on one number alone together, in chains of their own.
  Expr sorted(const Expr &expr) {
    if (expr->op == Op::Not) {
      Expr operand = sorted(expr->operands[0]);
      return noted(make(Op::Not, {operand}), look(operand));
    }
    if (expr->op != Op::And && expr->op != Op::Or) {
      look(expr);
      return expr;
    }
    std::vector<Expr> operands, kinds[kKinds];
    collect(expr, expr->op, operands);
    for (const Expr &operand : operands) {
      Expr each = sorted(operand);
      kinds[look(each).kind].push_back(each);
    }
    std::vector<Expr> chains;
    for (int kind = 0; kind < kKinds; ++kind)
      if (!kinds[kind].empty())
        chains.push_back(chain(expr->op, kinds[kind]));
    return chain(expr->op, chains);
  }

  Apart take(const Expr &predicate) {
    Expr whole = sorted(predicate);
    find(whole);
    auto number = [&](const Expr &expr) -> std::optional<int> {
      auto at = places.find(expr.get());
      if (at == places.end())
        return std::nullopt;
      size_t before[] = {0, ofQueries.size(), ofQueries.size() + ofKeys.size()};
      return static_cast<int>(before[at->second.list] + at->second.index);
    };
    LaneProgram core(whole, number);
    return {std::move(ofQueries), std::move(ofKeys), std::move(ofDifferences), std::move(core)};
  }

private:
  enum Kind { None, OfQuery, OfKey, OfDifference, Both, kKinds };
  struct Known {
    Kind kind = None;
    Expr difference; ///< of OfDifference, in the leaf q
  };
  struct Place {
    size_t list, index;
  };

  /// Halved, so that depth stays small.
  Expr chain(Op op, const std::vector<Expr> &exprs) {
    if (exprs.size() == 1)
      return exprs[0];
    auto middle = exprs.begin() + static_cast<long>(exprs.size() / 2);
    Expr left = chain(op, {exprs.begin(), middle});
    Expr right = chain(op, {middle, exprs.end()});
    return noted(make(op, {left, right}), joined(op, look(left), look(right)));
  }

  static Known joined(Op op, const Known &a, const Known &b) {
    if (a.kind == None || b.kind == None)
      return a.kind == None ? b : a;
    if (a.kind != b.kind)
      return {Both, {}};
    Expr difference = a.difference ? make(op, {a.difference, b.difference}) : nullptr;
    return {a.kind, difference};
  }

  Expr noted(Expr expr, const Known &known) {
    Known all = known;
    if (expr->op == Op::Not && known.difference)
      all.difference = make(Op::Not, {known.difference});
    knowledge[expr.get()] = all;
    kept.push_back(expr);
    return expr;
  }

  const Known &look(const Expr &expr) {
    if (auto at = knowledge.find(expr.get()); at != knowledge.end())
      return at->second;
    bool q = mentions(expr, Op::Query), k = mentions(expr, Op::Key);
    Known known{q && k ? Both : q ? OfQuery : k ? OfKey : None, {}};
    if (apart == Differences::Apart && known.kind == Both && expr->op >= Op::Less &&
        expr->op <= Op::NotEqual)
      if (std::optional<Expr> difference = differences.ofComparison(expr))
        known = {OfDifference, *difference};
    return knowledge[expr.get()] = known;
  }

  void find(const Expr &expr) {
    const Known known = look(expr);
    if (known.kind == None || places.contains(expr.get()))
      return;
    if (known.kind == Both) {
      for (const Expr &operand : expr->operands)
        find(operand);
      return;
    }
    size_t list = known.kind - OfQuery;
    Expr part = known.kind == OfKey     ? expr
                : known.kind == OfQuery ? exchanged(expr)
                                        : exchanged(known.difference);
    std::vector<Expr> &parts = list == 0 ? ofQueries : list == 1 ? ofKeys : ofDifferences;
    for (size_t i = 0; i < parts.size(); ++i)
      if (equal(parts[i], part)) {
        places[expr.get()] = {list, i};
        return;
      }
    places[expr.get()] = {list, parts.size()};
    parts.push_back(part);
  }

  Differences apart;
  DifferenceFinder differences;
  std::unordered_map<const Node *, Known> knowledge;
  std::unordered_map<const Node *, Place> places;
  std::vector<Expr> kept; ///< so that no two nodes have one address
  std::vector<Expr> ofQueries, ofKeys, ofDifferences;
};

} // namespace

std::optional<Apart> takeApart(const Expr &predicate, Differences differences) {
  if (!isNarrow(predicate))
    return std::nullopt;
  return Taker(differences).take(predicate);
}

void PartProgram::truths(std::span<const int64_t> low, std::span<const int64_t> high,
                         Truths *result) const {
  for (size_t at = 0; at < low.size(); at += LaneProgram::kLanes) {
    auto count = std::min<size_t>(LaneProgram::kLanes, low.size() - at);
    Cells cells{.low = low.data() + at, .high = high.data() + at};
    program.run({&cells, 1}, static_cast<int>(count), result + at);
  }
}

bool PartProgram::integers(std::span<const int64_t> low, std::span<const int64_t> high,
                           int64_t *lowest, int64_t *highest) const {
  bool points = true;
  for (size_t at = 0; at < low.size(); at += LaneProgram::kLanes) {
    auto count = std::min<size_t>(LaneProgram::kLanes, low.size() - at);
    Cells cells{.low = low.data() + at, .high = high.data() + at};
    if (program.run({&cells, 1}, static_cast<int>(count), lowest + at, highest + at))
      std::copy_n(lowest + at, count, highest + at);
    else
      for (size_t i = 0; i < count; ++i)
        points = points && lowest[at + i] == highest[at + i];
  }
  return points;
}

} // namespace sparsec
