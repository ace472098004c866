#include "layout/cost/Candidates.h"

#include "layout/Period.h"
#include "layout/Reader.h"
#include "layout/Specialise.h"

#include <algorithm>
#include <bit>
#include <set>

namespace sparsec {

namespace {

/// Longer periods are no order of this length, and more candidates than these are not weighed.
constexpr int64_t kLongestTailPeriod = int64_t{1} << 16;
constexpr size_t kMostPeriods = 4;

/// What the predicate divides by, and its conditions on the key alone.
struct Found {
  std::set<int64_t> moduli;    ///< m of x % m where x mentions q and k
  std::set<int64_t> quotients; ///< w of q // w or k // w
  std::set<int64_t> columns;   ///< w of q % w
  std::vector<Expr> ofKeys;

  void look(const Expr &expr) {
    bool ofKey = isPredicate(expr->op) && mentions(expr, Op::Key) && !mentions(expr, Op::Query) &&
                 !mentions(expr, Op::Head);
    if (ofKey && expr->op != Op::And && expr->op != Op::Or)
      ofKeys.push_back(expr);
    bool divides = expr->op == Op::Modulo || expr->op == Op::FloorDivide;
    // What a hash or a search leaves over says nothing about places.
    divides = divides && !mentions(expr->operands[0], Op::Hash) &&
              !mentions(expr->operands[0], Op::Drawn) && expr->operands[0]->op != Op::Segment;
    if (divides && expr->operands[1]->op == Op::Integer && expr->operands[1]->value > 1) {
      bool ofQuery = mentions(expr->operands[0], Op::Query);
      int64_t by = expr->operands[1]->value;
      if (expr->op == Op::FloorDivide)
        quotients.insert(by);
      else if (ofQuery)
        (mentions(expr->operands[0], Op::Key) ? moduli : columns).insert(by);
    }
    for (const Expr &operand : expr->operands)
      look(operand);
  }
};

/// The tails that a condition on k describes: it repeats and holds for the last ones of a period.
std::optional<TailsOrder> tailsOf(const Expr &condition, const LayoutRequest &request) {
  std::optional<int64_t> p = period(condition, kAcross);
  if (!p || *p < 2 || *p > std::min(request.nk, kLongestTailPeriod))
    return std::nullopt;
  Reader reader(condition, request.h, request.sizes(), request.work);
  int64_t width = 0;
  while (width < *p && reader.at(0, *p - 1 - width))
    ++width;
  for (int64_t k = 0; k < *p - width; ++k)
    if (reader.at(0, k))
      return std::nullopt;
  if (width == 0 || width == *p)
    return std::nullopt;
  return TailsOrder{*p, width};
}

/// A picture of this width in boxes of about one tile, as square as powers of two are.
std::optional<GridOrder> gridOf(int64_t width, int64_t n, int tile) {
  int64_t rows = (n + width - 1) / width;
  int64_t across = int64_t{1} << (std::bit_width(static_cast<unsigned>(tile)) / 2);
  across = std::min(across, width);
  int64_t down = std::min(std::max<int64_t>(tile / across, 1), rows);
  if (rows < 2)
    return std::nullopt;
  return GridOrder{{rows, width}, {down, across}};
}

} // namespace

std::vector<AxisOrders> candidateOrders(const Expr &attend, const LayoutRequest &request) {
  std::vector<AxisOrders> orders = {{NaturalOrder{}, NaturalOrder{}}};
  if (request.nq == 0 || request.nk == 0)
    return orders;
  auto add = [&](const OrderSpec &queries, const OrderSpec &keys) {
    AxisOrders each = {queries, keys};
    if (std::find(orders.begin(), orders.end(), each) == orders.end())
      orders.push_back(each);
  };
  Rectangle all = {{.first = request.q0, .step = 1, .count = request.nq},
                   {.first = 0, .step = 1, .count = request.nk}};
  Found found;
  found.look(specialise(attend, all, request.h, request.sizes()));
  // The longest periods first: of nested ones they leave the least.
  std::vector<int64_t> moduli(found.moduli.rbegin(), found.moduli.rend());
  std::erase_if(moduli, [&](int64_t m) { return m >= std::max(request.nq, request.nk); });
  moduli.resize(std::min(moduli.size(), kMostPeriods));
  for (int64_t m : moduli)
    add(ResidueOrder{m}, ResidueOrder{m});
  for (const Expr &condition : found.ofKeys)
    if (std::optional<TailsOrder> tails = tailsOf(condition, request))
      add(NaturalOrder{}, *tails);
  size_t grids = 0;
  for (int64_t width : found.quotients) {
    if (!found.columns.contains(width) || grids == kMostPeriods)
      continue;
    // The planes of a film: its rows are the finer grid.
    if (grids > 0 && width % *found.columns.begin() == 0)
      continue;
    std::optional<GridOrder> queries = gridOf(width, request.nq, request.blockQ);
    std::optional<GridOrder> keys = gridOf(width, request.nk, request.blockK);
    if (queries && keys) {
      add(*queries, *keys);
      ++grids;
    }
  }
  return orders;
}

} // namespace sparsec
