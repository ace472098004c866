// Sampling from rows of logits as a call (kernel/ops/Sample.h says how).
//
// Refused, as input errors that name the argument: what LoadedKernel.h refuses; a temperature below
// 0 or that is no number.
#pragma once

#include "kernel/ops/Sample.h"
#include "runtime/LoadedKernel.h"

namespace sparsec {

struct SampleCall {
  int64_t rows = 0;
  Tensor logits; ///< [rows, columns]
  Tensor seed;   ///< [1] i64: another one for every draw
  Tensor tokens; ///< [rows] i32
  float temperature = 1;
};

/// Must not outlive the device.
class Sample {
public:
  static Result<Sample> load(Device &device, std::vector<Kernel> kernels,
                             const SampleRequest &request);
  /// Enqueues a launch, none when there are no rows.
  Result<void> launch(const SampleCall &call) const;

private:
  SampleRequest request;
  LoadedKernel kernel;
};

} // namespace sparsec
