// Attention backward of a pattern: for each distinct head entry that its layers use the requests of
// both passes.
//
//   strided   head row      over queries   strided_row_backward_delta, strided_row_backward_dq
//                           over keys      strided_row_backward_dkv
//             head column   likewise
//
// The cost model knows nothing of backward yet: each pass is one part in natural order, its block
// as asked for or the compiler's. Refused, where it stands: an order or a split that is asked for.
#pragma once

#include "kernel/ops/AttentionBackward.h"
#include "tools/sparsec/PatternFlags.h"

namespace sparsec::cli {

/// Entries that share kernels.
struct PlannedBackward {
  std::vector<int> entries; ///< of the pattern
  AttentionBackwardRequest queries, keys;
};

struct BackwardPlan {
  LoadedPattern loaded;
  std::vector<PlannedBackward> heads;

  /// Of an entry that a layer uses.
  const PlannedBackward &headOf(int entry) const;
};

Result<BackwardPlan> makeBackwardPlan(const PatternFlags &flags, const Target &target);
/// Of a pattern that was loaded with these flags.
Result<BackwardPlan> makeBackwardPlan(LoadedPattern loaded, const PatternFlags &flags,
                                      const Target &target);

} // namespace sparsec::cli
