#include "layout/Split.h"

#include "patterns/Constraint.h"

#include <algorithm>

namespace sparsec {

/// Of an alternative: the pairs that none before it has.
static Expr partOf(const Union &all, size_t number) {
  Expr part = all.alternatives[number];
  for (const Expr &each : all.common)
    part = make(Op::And, {part, each});
  for (size_t before = 0; before < number; ++before)
    part = make(Op::And, {part, make(Op::Not, {all.alternatives[before]})});
  return simplify(part);
}

Union unionOf(const Expr &attend) {
  Union all;
  collect(attend, Op::And, all.common);
  auto isUnion = [](const Expr &expr) { return expr->op == Op::Or; };
  auto found = std::find_if(all.common.begin(), all.common.end(), isUnion);
  if (found == all.common.end())
    return {.alternatives = {attend}, .common = {}};
  std::vector<Expr> alternatives;
  collect(*found, Op::Or, alternatives);
  all.common.erase(found);
  for (const Expr &each : alternatives) {
    all.alternatives.push_back(each);
    if (partOf(all, all.alternatives.size() - 1)->op == Op::False)
      all.alternatives.pop_back();
  }
  if (all.alternatives.empty())
    return {.alternatives = {attend}, .common = {}};
  return all;
}

Union grouped(const Union &all, std::span<const size_t> numbers) {
  Union result{.alternatives = {}, .common = all.common};
  std::vector<size_t> seen;
  for (size_t i = 0; i < all.alternatives.size(); ++i) {
    size_t at = std::find(seen.begin(), seen.end(), numbers[i]) - seen.begin();
    if (at == seen.size()) {
      seen.push_back(numbers[i]);
      result.alternatives.push_back(all.alternatives[i]);
    } else {
      Expr &one = result.alternatives[at];
      one = make(Op::Or, {one, all.alternatives[i]});
    }
  }
  return result;
}

std::vector<Expr> disjointParts(const Union &all) {
  if (all.alternatives.size() == 1 && all.common.empty())
    return all.alternatives;
  std::vector<Expr> parts;
  for (size_t i = 0; i < all.alternatives.size(); ++i)
    parts.push_back(partOf(all, i));
  return parts;
}

std::vector<Expr> disjointParts(const Expr &attend) {
  return disjointParts(unionOf(attend));
}

Part exchanged(const Part &part, const LayoutRequest &request) {
  return {exchanged(part.attend, request.q0), part.keys, part.queries};
}

Result<PartOrders> PartOrders::of(const Part &part, const LayoutRequest &request) {
  Result<Order> queries = Order::make(part.queries, request.nq, request.blockQ);
  if (!queries)
    return queries.error();
  Result<Order> keys = Order::make(part.keys, request.nk, request.blockK);
  if (!keys)
    return keys.error();
  return PartOrders{*std::move(queries), *std::move(keys)};
}

Result<std::vector<BlockLayout>> layoutsOf(const std::vector<Part> &parts,
                                           const LayoutRequest &request) {
  std::vector<BlockLayout> layouts;
  for (const Part &part : parts) {
    Result<PartOrders> orders = PartOrders::of(part, request);
    if (!orders)
      return orders.error();
    Result<BlockLayout> layout =
        BlockLayout::build(part.attend, request, orders->queries, orders->keys);
    if (!layout)
      return layout.error();
    layouts.push_back(std::move(*layout));
  }
  return layouts;
}

} // namespace sparsec
