#include "tools/bench/Stopwatch.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace sparsec {
namespace {

/// Seconds that `count` calls in a row take, the waiting for them included.
Result<double> sample(Device &device, const Enqueue &call, int count) {
  auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < count; ++i)
    if (Result<void> ok = call(); !ok)
      return ok.error();
  if (Result<void> ok = device.synchronize(); !ok)
    return ok.error();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Warms up, and finds how many calls fill a sample.
Result<int> callsThatFill(Device &device, const Enqueue &call, double shortest) {
  if (Result<double> first = sample(device, call, 1); !first)
    return first.error();
  constexpr int kMost = 1 << 14;
  for (int count = 1;; count *= 2) {
    Result<double> taken = sample(device, call, count);
    if (!taken)
      return taken.error();
    if (*taken >= shortest || count >= kMost)
      return count;
  }
}

double quantile(const std::vector<double> &sorted, double at) {
  double place = at * static_cast<double>(sorted.size() - 1);
  size_t below = static_cast<size_t>(std::floor(place));
  size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

} // namespace

Result<std::vector<Timing>> timeInTurn(Device &device, const std::vector<Enqueue> &calls,
                                       const StopwatchOptions &options) {
  std::vector<int> counts;
  for (const Enqueue &call : calls) {
    Result<int> count = callsThatFill(device, call, options.shortestSample);
    if (!count)
      return count.error();
    counts.push_back(*count);
  }
  std::vector<std::vector<double>> milliseconds(calls.size());
  std::vector<double> spent(calls.size());
  for (int round = 0; round < options.samples; ++round)
    for (size_t i = 0; i < calls.size(); ++i) {
      if (round >= options.fewestSamples && spent[i] > options.longest)
        continue;
      Result<double> taken = sample(device, calls[i], counts[i]);
      if (!taken)
        return taken.error();
      spent[i] += *taken;
      milliseconds[i].push_back(*taken * 1e3 / counts[i]);
    }
  std::vector<Timing> timings;
  for (size_t i = 0; i < calls.size(); ++i) {
    std::ranges::sort(milliseconds[i]);
    timings.push_back({.medianMs = quantile(milliseconds[i], 0.5),
                       .lowMs = quantile(milliseconds[i], 0.25),
                       .highMs = quantile(milliseconds[i], 0.75),
                       .samples = static_cast<int>(milliseconds[i].size()),
                       .callsPerSample = counts[i]});
  }
  return timings;
}

} // namespace sparsec
