// Token orders that a predicate suggests, from its moduli and divisions.
//
//   (q - k) % 128 == 0                     both axes by residue 128
//   k % 128 >= 96                          keys by tails 128, 32: the condition on k alone holds
//                                          for the last 32 of every 128
//   abs(q // 64 - k // 64) <= 3 and        both axes by grid n/64 x 64, in boxes of one tile
//   abs(q % 64 - k % 64) <= 3
//
// Natural order is always the first. What is suggested may be slow, never wrong: layout/cost/Cost.h
// weighs it.
#pragma once

#include "layout/BlockLayout.h"

namespace sparsec {

struct AxisOrders {
  OrderSpec queries, keys;
  bool operator==(const AxisOrders &) const = default;
};

/// Without repetition; all are orders that Order::make accepts.
std::vector<AxisOrders> candidateOrders(const Expr &attend, const LayoutRequest &request);

} // namespace sparsec
