#include "layout/Split.h"

#include "patterns/Constraint.h"

#include <algorithm>

namespace sparsec {

std::vector<Expr> disjointParts(const Expr &attend) {
  std::vector<Expr> common;
  collect(attend, Op::And, common);
  auto isUnion = [](const Expr &expr) { return expr->op == Op::Or; };
  auto found = std::find_if(common.begin(), common.end(), isUnion);
  if (found == common.end())
    return {attend};
  std::vector<Expr> alternatives;
  collect(*found, Op::Or, alternatives);
  common.erase(found);

  std::vector<Expr> parts;
  for (size_t i = 0; i < alternatives.size(); ++i) {
    Expr part = alternatives[i];
    for (const Expr &each : common)
      part = make(Op::And, {part, each});
    for (size_t before = 0; before < i; ++before)
      part = make(Op::And, {part, make(Op::Not, {alternatives[before]})});
    if (Expr simple = simplify(part); simple->op != Op::False)
      parts.push_back(simple);
  }
  if (parts.empty())
    return {attend};
  return parts;
}

Part exchanged(const Part &part, const LayoutRequest &request) {
  return {exchanged(part.attend, request.q0), part.keys, part.queries};
}

Result<std::vector<BlockLayout>> layoutsOf(const std::vector<Part> &parts,
                                           const LayoutRequest &request) {
  std::vector<BlockLayout> layouts;
  for (const Part &part : parts) {
    Result<Order> queries = Order::make(part.queries, request.nq, request.blockQ);
    if (!queries)
      return queries.error();
    Result<Order> keys = Order::make(part.keys, request.nk, request.blockK);
    if (!keys)
      return keys.error();
    Result<BlockLayout> layout = BlockLayout::build(part.attend, request, *queries, *keys);
    if (!layout)
      return layout.error();
    layouts.push_back(std::move(*layout));
  }
  return layouts;
}

} // namespace sparsec
