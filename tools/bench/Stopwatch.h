// Times of several calls on one device, taken in turn so that their ratios hold on a noisy machine.
//
//   warm-up, then rounds:   A A A | B | A A A | B | ...     a sample = as many calls in
//   a row as fill shortestSample, then one synchronize()
#pragma once

#include "runtime/Device.h"

#include <functional>

namespace sparsec {

struct StopwatchOptions {
  int samples = 15;              ///< of each call
  double shortestSample = 0.005; ///< seconds
  double longest = 20;           ///< seconds of one call's samples; then it gets no more,
  int fewestSamples = 3;         ///< but these
};

struct Timing {
  double medianMs = 0; ///< of one call
  double lowMs = 0;    ///< first quartile
  double highMs = 0;   ///< third quartile
  int samples = 0;
  int callsPerSample = 1;
};

/// One call: enqueues work on the device.
using Enqueue = std::function<Result<void>()>;

/// The timings of the calls, in their order.
Result<std::vector<Timing>> timeInTurn(Device &device, const std::vector<Enqueue> &calls,
                                       const StopwatchOptions &options = {});

} // namespace sparsec
