#include "tools/bench/Contestant.h"

namespace sparsec {

std::string_view name(ContestantKind kind) {
  switch (kind) {
  case ContestantKind::Kernel:
    return "kernel";
  case ContestantKind::Baseline:
    return "baseline";
  case ContestantKind::Peak:
    return "peak";
  }
  return "";
}

Result<std::vector<Measured>> measure(Device &device, std::vector<Contestant> contestants,
                                      const StopwatchOptions &options) {
  std::vector<Enqueue> calls;
  for (const Contestant &each : contestants)
    calls.push_back(each.call);
  Result<std::vector<Timing>> timings = timeInTurn(device, calls, options);
  if (!timings)
    return timings.error();
  std::vector<Measured> measured;
  for (size_t i = 0; i < contestants.size(); ++i)
    measured.push_back({std::move(contestants[i]), (*timings)[i]});
  return measured;
}

} // namespace sparsec
