// A map of matrices as a call (kernel/ops/Elementwise.h says which there are).
//
// Refused, as input errors that name the argument: what LoadedKernel.h refuses; a probability to
// drop that is not from 0 up to 1, 1 not included.
#pragma once

#include "kernel/ops/Elementwise.h"
#include "runtime/LoadedKernel.h"

namespace sparsec {

struct ElementwiseCall {
  int64_t rows = 0, columns = 0;
  Tensor x;        ///< [rows, columns], as all
  Tensor dy;       ///< GeluBackward
  Tensor residual; ///< Dropout; address 0: none. May be y.
  Tensor y;        ///< dx of GeluBackward; of equal types may be x
  float scale = 1; ///< Cast
  Tensor seed;     ///< Dropout: [1] i64
  uint32_t stream = 0;
  double drop = 0; ///< Dropout: probability; what stays is scaled by 1 / (1 - drop)
};

/// Must not outlive the device.
class Elementwise {
public:
  static Result<Elementwise> load(Device &device, std::vector<Kernel> kernels,
                                  const ElementwiseRequest &request);
  /// Enqueues a launch, none for an empty matrix.
  Result<void> launch(const ElementwiseCall &call) const;

private:
  ElementwiseRequest request;
  LoadedKernel kernel;
};

} // namespace sparsec
