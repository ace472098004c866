// Attention backward of a pattern: for each distinct head entry that its layers use the kernels of
// both passes, each in the way that its schedule asks for or the cost model chooses for that pass.
//
//   strided-merged   over queries   strided_merged_merged_backward_part1_delta, ..._part1_dq   residue
//                                   strided_merged_merged_backward_part2_dq                    natural
//                    over keys      strided_merged_merged_backward_dkv_part1                   residue
//                                   strided_merged_merged_backward_dkv_part2                   natural
#pragma once

#include "codegen/ChooseSchedule.h"
#include "kernel/ops/AttentionBackward.h"
#include "tools/sparsec/PatternFlags.h"

namespace sparsec::cli {

struct PlannedPass {
  std::vector<AttentionBackwardRequest> parts; ///< in the order they run
  std::vector<Candidate> ways; ///< what was weighed, the chosen one first; costs are estimates
  LayoutRequest weighed;       ///< what they are the costs of
};

/// Entries that share kernels.
struct PlannedBackward {
  std::vector<int> entries; ///< of the pattern
  PlannedPass queries, keys;
  std::array<const PlannedPass *, 2> passes() const { return {&queries, &keys}; }
};

struct BackwardPlan {
  LoadedPattern loaded;
  std::vector<PlannedBackward> heads;

  /// Of an entry that a layer uses.
  const PlannedBackward &headOf(int entry) const;
};

/// Weighed at -n, or kWeighedAt.
Result<BackwardPlan> makeBackwardPlan(const PatternFlags &flags, const Target &target);
/// Of a pattern that was loaded with these flags, weighed at n.
Result<BackwardPlan> makeBackwardPlan(LoadedPattern loaded, const PatternFlags &flags,
                                      const Target &target, int64_t n);

} // namespace sparsec::cli
