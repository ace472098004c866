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

/// A part the way round that its kernel folds it: of dk and dv each row is one of keys, and its
/// blocks are of queries.
struct Fold {
  Part part;
  LayoutRequest request;
  Order queries, keys; ///< of the rows, and of what is folded
  Prices prices;

  /// Error: an order that is none.
  static Result<Fold> of(const Part &part, const LayoutRequest &request, const CostShape &shape,
                         const CostTarget &target);
};

bool gathers(const OrderSpec &order);

/// Without its pairs. Error: the layout does not fit.
Result<Tally> exactTally(const Part &part, const LayoutRequest &request, const CostShape &shape,
                         const CostTarget &target, Ledger &ledger);
/// From `count` of its rows: they lie evenly, whatever the number of rows has as a divisor.
Tally estimate(const Fold &fold, int64_t count);
/// Exact where the request's budget allows, else of some queries.
void addElements(const Expr &attend, const LayoutRequest &request, Tally &tally, Ledger &ledger);

/// Makes a candidate's cost exact. Error of kind Machine: the budgets do not allow that.
Result<void> countExactly(Candidate &candidate, const LayoutRequest &request,
                          const CostShape &shape, const CostTarget &target, Ledger &ledger);

/// What parts cost together.
Cost costOf(const std::vector<Part> &parts, const std::vector<Tally> &tallies,
            const LayoutRequest &request, const CostShape &shape, const CostTarget &target,
            const std::vector<Block> &denseBlocks);

} // namespace sparsec
