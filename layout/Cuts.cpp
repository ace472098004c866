#include "layout/Cuts.h"

#include "layout/Specialise.h"
#include "patterns/Linear.h"

#include <algorithm>
#include <tuple>

namespace sparsec {

Cuts::Cuts(const Expr &predicate) {
  look(predicate);
}

/// Whether a sum numbers pairs row by row, as q // 64 * 512 + k // 64 does: a row's numbers are one
/// stretch, those of several rows are nearly all.
static bool numbersByRows(const Linear &sum) {
  int64_t perQuery = 0, perKey = 0;
  for (const auto &[atom, factor] : sum.terms) {
    int64_t size = factor < 0 ? -factor : factor;
    if (mentions(atom, Op::Query))
      perQuery = std::max(perQuery, size);
    if (mentions(atom, Op::Key))
      perKey = std::max(perKey, size);
  }
  return perKey > 0 && perQuery > perKey;
}

void Cuts::look(const Expr &expr) {
  for (const Expr &operand : expr->operands)
    look(operand);
  if (expr->op == Op::Drawn) {
    byQuery = byQuery || mentions(expr, Op::Query);
    byKey = byKey || mentions(expr, Op::Key);
  }
  constexpr size_t kMostSearches = 16;
  if (expr->op != Op::Segment || searches.size() == kMostSearches)
    return;
  Linear of = linear(expr->operands[0]);
  byQuery = byQuery || numbersByRows(of);
  if (of.terms.size() != 1 || of.terms.begin()->second != 1)
    return;
  Expr position = of.terms.begin()->first;
  Search search = {.list = expr->list, .offset = of.constant};
  if (position->op == Op::FloorDivide && position->operands[1]->op == Op::Integer &&
      position->operands[1]->value > 0) {
    search.divisor = position->operands[1]->value;
    position = position->operands[0];
  }
  search.ofQuery = position->op == Op::Query;
  if (search.ofQuery || position->op == Op::Key)
    searches.push_back(std::move(search));
}

/// The position at which the number of values found changes, nearest to the middle of a range.
std::optional<int64_t> Cuts::Search::cutIn(const Range &range) const {
  int64_t middle = range.first + range.count / 2;
  const std::vector<int32_t> &values = list->values;
  auto next = std::lower_bound(values.begin(), values.end(), floorDivide(middle, divisor) + offset);
  std::optional<int64_t> nearest;
  auto consider = [&](int64_t value) {
    int64_t cut = (value - offset) * divisor;
    if (cut > range.first && cut <= range.last() &&
        (!nearest || std::abs(cut - middle) < std::abs(*nearest - middle)))
      nearest = cut;
  };
  if (next != values.end())
    consider(*next);
  if (next != values.begin())
    consider(*std::prev(next));
  return nearest;
}

std::pair<Rectangle, Rectangle> Cuts::of(const Rectangle &rectangle) const {
  Rectangle first = rectangle, second = rectangle;
  for (bool ofQuery : {true, false}) {
    Range Rectangle::*axis = ofQuery ? &Rectangle::q : &Rectangle::k;
    const Range &range = rectangle.*axis;
    if (range.step != 1 || range.count < 2)
      continue;
    for (const Search &search : searches)
      if (search.ofQuery == ofQuery)
        if (std::optional<int64_t> cut = search.cutIn(range)) {
          (first.*axis).count = *cut - range.first;
          second.*axis = {.first = *cut, .step = 1, .count = range.last() - *cut + 1};
          return {first, second};
        }
  }
  for (bool ofQuery : {true, false}) {
    Range Rectangle::*axis = ofQuery ? &Rectangle::q : &Rectangle::k;
    if ((ofQuery ? byQuery : byKey) && (rectangle.*axis).count > 1) {
      std::tie(first.*axis, second.*axis) = halves(rectangle.*axis);
      return {first, second};
    }
  }
  return halves(rectangle);
}

namespace {

class Borders {
public:
  Borders(Op axis, const Range &range)
      : axis(axis), other(axis == Op::Key ? Op::Query : Op::Key), range(range) {}

  void look(const Expr &expr) {
    if (full())
      return;
    for (const Expr &operand : expr->operands)
      look(operand);
    if (expr->op == Op::Segment)
      return lookAtList(expr);
    bool compares =
        isPredicate(expr->op) && expr->operands.size() == 2 && !isPredicate(expr->operands[0]->op);
    if (!compares)
      return;
    for (int side : {0, 1})
      if (expr->operands[1 - side]->op == Op::Integer)
        for (int64_t value : {expr->operands[1 - side]->value, expr->operands[1 - side]->value + 1})
          passes(expr->operands[side], value);
  }

  std::vector<int64_t> take() {
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return std::move(found);
  }

private:
  bool full() const {
    constexpr size_t kMost = 1024;
    return found.size() >= kMost;
  }

  /// The entries that are met on the way from the range's first position to its last.
  void lookAtList(const Expr &segment) {
    for (Op op : {other, Op::Head, Op::Keys, Op::Queries})
      if (mentions(segment, op))
        return;
    auto at = [&](int64_t position) {
      return evaluateInteger(segment->operands[0], {.q = position, .k = position}, {});
    };
    auto [low, high] = std::minmax({at(range.first), at(range.last())});
    const std::vector<int32_t> &values = segment->list->values;
    for (auto next = std::lower_bound(values.begin(), values.end(), low);
         next != values.end() && *next <= high && !full(); ++next)
      passes(segment->operands[0], *next);
  }

  /// Where an integer expression comes to `value` from below, or falls below it: of the operators
  /// that are followed here, one operand of two a number.
  void passes(const Expr &expr, int64_t value) {
    constexpr int64_t kFar = int64_t{1} << 40;
    if (value <= -kFar || value >= kFar)
      return;
    if (expr->op == axis && value > range.first && value <= range.last())
      found.push_back(value);
    if (expr->op == Op::Negate)
      passes(expr->operands[0], 1 - value);
    if (expr->op == Op::Abs) {
      passes(expr->operands[0], value);
      passes(expr->operands[0], 1 - value);
    }
    if (expr->operands.size() != 2)
      return;
    const Expr &a = expr->operands[0], &b = expr->operands[1];
    bool first = a->op == Op::Integer && std::abs(a->value) < kFar;
    bool second = b->op == Op::Integer && std::abs(b->value) < kFar;
    if (expr->op == Op::Add && (first || second))
      passes(first ? b : a, value - (first ? a : b)->value);
    if (expr->op == Op::Subtract && first)
      passes(b, a->value - value + 1);
    if (expr->op == Op::Subtract && second)
      passes(a, value + b->value);
    if ((expr->op == Op::Min || expr->op == Op::Max) && (first || second))
      passes(first ? b : a, value);
    int64_t product = 0;
    if (expr->op == Op::FloorDivide && second && b->value > 0 &&
        !__builtin_mul_overflow(value, b->value, &product))
      passes(a, product);
  }

  Op axis, other;
  Range range;
  std::vector<int64_t> found;
};

} // namespace

std::vector<int64_t> bordersIn(const Expr &predicate, Op axis, const Range &range) {
  if (range.step != 1)
    return {};
  Borders borders(axis, range);
  borders.look(predicate);
  return borders.take();
}

} // namespace sparsec
