// Reach where every head attends by q - k alone and to nothing later: position i knows j when
// i - j is a sum of one difference of each layer, wherever i is.
//
//   local(2), then every(2), with the residual path      after layer 1   0 1
//   differences {0, 1}, then {0, 2, 4, ...}              after layer 2   0 1 2 3 4 5 ...: all
#pragma once

#include "layout/analysis/Reach.h"

namespace sparsec {

/// Nothing when some head depends on positions in another way or has pairs q < k, or the sets have
/// too many stretches for this to be the shorter way. The request is one that reach() accepts.
std::optional<Reach> reachByDifferences(const ReachRequest &request, Work &work);

} // namespace sparsec
