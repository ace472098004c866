// The parts of the cost model: what blocks and rows cost, how many of them a part has, and what
// they are together. For Cost.cpp and Weigh.cpp.
#pragma once

#include "layout/cost/Cost.h"

namespace sparsec {

/// What a block and a row of blocks cost, of one part in its orders.
struct Prices {
  double keyBytes = 0, rowBytes = 0;     ///< of a block, of a row
  double full = 0, partial = 0, row = 0; ///< seconds of a unit
};

/// The same computed the other way round, where that is how the kernel folds it: each row is one of
/// keys, and its blocks are of queries.
LayoutRequest folded(LayoutRequest request, const CostShape &shape);
Part folded(const Part &part, const LayoutRequest &request, const CostShape &shape);

bool gathers(const OrderSpec &order);
/// Of a part and a request that are folded.
Prices pricesOf(const Part &part, const LayoutRequest &request, const CostShape &shape,
                const CostTarget &target);

/// From `count` of its rows: they lie evenly, whatever the number of rows has as a divisor.
Tally estimate(const Part &part, const LayoutRequest &request, const Order &queries,
               const Order &keys, const Prices &prices, int64_t count);
/// Exact where the request's budget allows, else of some queries.
void addElements(const Expr &attend, const LayoutRequest &request, Tally &tally, Ledger &ledger);

/// What parts cost together. Not folded.
Cost costOf(const std::vector<Part> &parts, const std::vector<Tally> &tallies,
            const LayoutRequest &request, const CostShape &shape, const CostTarget &target,
            const std::vector<Block> &denseBlocks);

} // namespace sparsec
