// The machines of the cost model. docs/performance.md says where each number comes from.
#include "layout/cost/Cost.h"

namespace sparsec {

namespace {

/// An H200, its kernels on the mma.sync path: fitted to measured times.
constexpr CostTarget kH200 = {.units = 132,
                              .unitFlops = 3.61e12,
                              .pairSeconds = 3.5e-11,
                              .partialPenalty = 0.26,
                              .stepKeys = 5.2,
                              .rowSeconds = 2.7e-7,
                              .rowByteSeconds = 2.4e-11,
                              .launchSeconds = 4e-6,
                              .unitBytesPerSecond = 4.8e10,
                              .bytesPerSecond = 4.28e12,
                              .gatherPenalty = 1.1};

/// An A100: the H200's by published clocks, peaks and bandwidths.
constexpr CostTarget kA100 = {.units = 108,
                              .unitFlops = 2.5e12,
                              .pairSeconds = 4.9e-11,
                              .partialPenalty = 0.26,
                              .stepKeys = 5.2,
                              .rowSeconds = 3.8e-7,
                              .rowByteSeconds = 3.4e-11,
                              .launchSeconds = 4e-6,
                              .unitBytesPerSecond = 3.6e10,
                              .bytesPerSecond = 1.8e12,
                              .gatherPenalty = 1.1};

/// A few cores with AVX2, f32: products and exponentials of dense attention at two head dims.
constexpr CostTarget kCpu = {.units = 4,
                             .unitFlops = 9.2e10,
                             .pairSeconds = 5e-10,
                             .partialPenalty = 0.1,
                             .stepKeys = 2,
                             .rowSeconds = 1e-6,
                             .rowByteSeconds = 1e-10,
                             .launchSeconds = 1e-5,
                             .unitBytesPerSecond = 2e10,
                             .keyByteSeconds = 3e-11,
                             .bytesPerSecond = 2e10,
                             .gatherPenalty = 1.3,
                             .tail = 0.25};

/// f32 products are fused multiply-adds of plain cores, a sixteenth of what tensor cores do.
constexpr double kTensorOverPlain = 16;

} // namespace

CostTarget CostTarget::of(std::string_view target, int64_t elementBytes) {
  if (target.starts_with("cpu"))
    return kCpu;
  CostTarget result = target.starts_with("sm_90") ? kH200 : kA100;
  if (elementBytes > 2)
    result.unitFlops /= kTensorOverPlain;
  return result;
}

} // namespace sparsec
