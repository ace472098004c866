// What is timed beside others in one run, so that their ratios mean something: kernels, what one
// would use without them, and the most that the machine gives.
#pragma once

#include "tools/bench/Stopwatch.h"

namespace sparsec {

enum class ContestantKind {
  Kernel,   ///< ours
  Baseline, ///< what else computes the same, or a part of it
  Peak,     ///< no work at all but multiply-adds: what fractions of the peak refer to
};
std::string_view name(ContestantKind kind); ///< "kernel", "baseline", "peak"

struct Contestant {
  ContestantKind kind = ContestantKind::Kernel;
  std::string pattern; ///< "local"; "openblas dense"
  /// Of the pattern's parameters those that differ between the contestants of a run.
  std::vector<std::pair<std::string, int64_t>> params;
  std::vector<int64_t> layers;     ///< of the pattern, where it has several distinct ones
  std::string operation;           ///< "forward", "matmul", "fma"
  Enqueue call;                    ///< owns what it needs
  double liveFlops = 0;            ///< of one call, on pairs that attend
  double computedFlops = 0;        ///< of one call, on pairs in live blocks
  std::optional<double> ideal;     ///< 1 / density
  std::optional<double> predicted; ///< milliseconds, by the cost model
  std::optional<double> compileMs; ///< of its slowest kernel
  std::optional<double> reuseUs;   ///< to find that kernel again, as a second use does
};

/// A contestant that was timed.
struct Measured {
  Contestant contestant;
  Timing timing;

  double seconds() const { return timing.medianMs * 1e-3; }
  double liveGflops() const { return contestant.liveFlops / seconds() * 1e-9; }
  double computedGflops() const { return contestant.computedFlops / seconds() * 1e-9; }
};

/// Times them in turn.
Result<std::vector<Measured>> measure(Device &device, std::vector<Contestant> contestants,
                                      const StopwatchOptions &options);

} // namespace sparsec
