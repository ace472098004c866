// What `sparsec bench --op backward` times.
#pragma once

#include "tools/bench/BackwardRun.h"
#include "tools/bench/Contestant.h"
#include "tools/sparsec/BackwardPlan.h"

#include <map>

namespace sparsec::cli {

/// The kernels of one entry of a pattern, and how long the slowest of its requests took to compile.
struct CompiledBackward {
  BackwardEntry entry; ///< without its heads
  double compileMs = 0;
};
/// By entry, of those that a layer uses.
Result<std::map<int, CompiledBackward>> compileBackward(const BackwardPlan &plan);

struct BackwardBench {
  Device &device;
  CostTarget target; ///< the device
  const ForwardTensors &forward;
  BackwardTensors tensors;
};

/// Of one layer, whose forward on the same tensors is `forward`.
Result<Contestant> backwardContestant(const BackwardBench &bench, const BackwardPlan &plan,
                                      const Layer &layer,
                                      const std::map<int, CompiledBackward> &compiled,
                                      ForwardRun &forward);

} // namespace sparsec::cli
