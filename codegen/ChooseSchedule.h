// From what a pattern attends to and what its schedule leaves open to the kernels that compute it:
// blocks, token orders and a split into parts, the cheapest by the cost model.
//
//   causal and (local(128) or every(128))
//     part 1   ..._forward_part1   causal and local(128), natural order      leaves out in f32
//     part 2   ..._forward_part2   the rest, both axes by residue 128        goes on from part 1
//
// A head that is not split is one kernel, ..._forward: whoever asks for that by name never gets a
// part of a head instead. Nothing here changes what is computed. No MLIR.
#pragma once

#include "kernel/ops/Attention.h"
#include "layout/cost/Cost.h"

namespace sparsec {

struct ScheduleRequest {
  /// Entry, predicate of the whole head, dtype, dims, target and block (0: open). Its orders and
  /// part are not looked at.
  AttentionRequest kernel;
  Schedule schedule;  ///< what is asked for beside the block
  int64_t n = 4096;   ///< keys and queries at which ways are weighed
  int64_t h = 0;      ///< the model's head at which they are
  int64_t copies = 1; ///< heads x batch of a call
  /// The block that is asked for, whether or not a kernel could have it: for pictures and counts.
  bool anyBlock = false;

  /// What the cost model weighs: at `n`, or at the length of a table that orders the tokens.
  LayoutRequest layout() const;
  CostShape shape() const;
};

struct HeadSchedule {
  std::vector<AttentionRequest> parts; ///< of the cheapest way, in the order they run
  std::vector<Candidate> ways;         ///< what was weighed, cheapest first; costs are estimates
};

/// Error: a block that does not fit, an order that is none, `split: always` of what is no union.
Result<HeadSchedule> chooseSchedule(const ScheduleRequest &request);

/// The kernels of a way: `request` with each part's predicate, orders and role, and a name of its
/// own where there are several.
std::vector<AttentionRequest> kernelsOf(const AttentionRequest &request,
                                        const std::vector<Part> &parts, const Block &block);

} // namespace sparsec
