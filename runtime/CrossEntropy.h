// Softmax cross-entropy of rows as a call (kernel/ops/CrossEntropy.h says what is computed).
//
// Refused, as input errors that name the argument: what LoadedKernel.h refuses.
#pragma once

#include "kernel/ops/CrossEntropy.h"
#include "runtime/LoadedKernel.h"

namespace sparsec {

struct CrossEntropyCall {
  int64_t rows = 0;
  Tensor logits;    ///< [rows, columns]
  Tensor targets;   ///< [rows] of the request's bytes, below columns; negative: does not count
  Tensor loss;      ///< [rows] f32, in nats
  Tensor dlogits;   ///< [rows, columns], of a request with `gradient`; may be logits
  float scale = 1;  ///< of dlogits: 1 / rows, say, times a loss scale
  Tensor lossScale; ///< [1] f32, of a request with `lossScale`
  Tensor total;     ///< [1] f32: factor * the sum of the losses; address 0: not wanted
  float factor = 1; ///< 1 / rows for the mean
};

/// Must not outlive the device.
class CrossEntropy {
public:
  static Result<CrossEntropy> load(Device &device, std::vector<Kernel> kernels,
                                   const CrossEntropyRequest &request);
  /// Enqueues a launch for the rows and one for the total, if that is wanted.
  Result<void> launch(const CrossEntropyCall &call) const;

private:
  CrossEntropyRequest request;
  LoadedKernel ofRows, sum;
};

} // namespace sparsec
