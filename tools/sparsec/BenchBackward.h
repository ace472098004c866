// What `sparsec bench --op backward` times.
#pragma once

#include "tools/bench/BackwardRun.h"
#include "tools/bench/Contestant.h"
#include "tools/sparsec/Plan.h"

#include <map>

namespace sparsec::cli {

/// The kernels of one entry of a pattern, and how long the slowest of its requests took to compile.
struct CompiledBackward {
  BackwardEntry entry; ///< without its heads
  double compileMs = 0;
};
/// By entry, of those that a layer uses.
Result<std::map<int, CompiledBackward>> compileBackward(const Plan &plan);

/// What the cost model expects of one call of an operation, in milliseconds.
Result<double> predictedMs(const Plan &plan, std::string_view operation, const Layer &layer,
                           const AttentionShape &shape, const CostTarget &target);

struct BackwardBench {
  Device &device;
  CostTarget target; ///< the device
  const ForwardTensors &forward;
  BackwardTensors tensors;
};

/// Of one layer, whose forward on the same tensors is `forward`.
Result<Contestant> backwardContestant(const BackwardBench &bench, const Plan &plan,
                                      const Layer &layer,
                                      const std::map<int, CompiledBackward> &compiled,
                                      ForwardRun &forward);

} // namespace sparsec::cli
