// The ways to compute a head, as the cost model weighs them for a target and a length.
#pragma once

#include "layout/Cost.h"
#include "tools/sparsec/Plan.h"

namespace sparsec::cli {

/// What the model weighs: one row of a pattern at one length.
struct WaysRequest {
  const PatternFlags &flags; ///< head dims and data type
  const LoadedPattern &loaded;
  const HeadRow &row;
  const Target &target;
  int64_t n = 0;
  int64_t copies = 1; ///< heads that are computed together

  const HeadEntry &head() const { return loaded.pattern.heads[row.entry]; }
  LayoutRequest layout() const { return {.nq = n, .nk = n, .q0 = 0, .h = row.h}; }
  DType dtype() const { return flags.dtype.value_or(defaultDType(target)); }
  CostShape shape() const;
};

/// Cheapest first for all heads of the model, as compile chooses; the first one's cost is exact,
/// and that of `copies` heads. Within what the head's schedule says: errors about it point there.
Result<std::vector<Candidate>> waysOf(const WaysRequest &request);

} // namespace sparsec::cli
