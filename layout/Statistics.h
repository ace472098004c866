// What a layout costs and what it uses: the numbers of `sparsec show --stats`.
//
//   strided column, l = 128, n = 12,288, blocks of 32      elements            595,968
//                                                          keys per query      48.5
//   density_causal: of the pairs with k <= q               density_causal      0.79 %
//                                                          blocks              18,624 live, ...
#pragma once

#include "layout/BlockLayout.h"

namespace sparsec {

struct Statistics {
  int64_t elements = 0;     ///< pairs that attend
  double keysPerQuery = 0;  ///< elements / nq
  double density = 0;       ///< elements / (nq nk)
  double densityCausal = 0; ///< elements / pairs with k <= q; 0 when there are none
  int64_t computed = 0;     ///< pairs in live blocks, whole: elements / computed is use
  BlockCounts blocks;
};

Result<Statistics> statistics(const Expr &attend, const LayoutRequest &request);

/// Pairs with k <= q: what dense causal attention computes.
int64_t causalElements(const LayoutRequest &request);

} // namespace sparsec
