// Sweeps of `sparsec bench`: what is given several values is timed with each.
//
//   --param l=64,128 --param c=8 -n 4096,16384      4 points: each n with each l; c is no axis
//
// Dense attention and what the machine gives are timed once at each n.
#pragma once

#include "tools/picture/Plot.h"
#include "tools/sparsec/BenchReport.h"
#include "tools/sparsec/PatternFlags.h"

namespace sparsec::cli {

/// One pattern with a value for each of its parameters.
struct SweepPoint {
  PatternFlags flags;
  std::vector<std::pair<std::string, int64_t>> params; ///< those that are swept
};

/// Every combination of the values that `flags` gives, the last parameter's first. Error: a value
/// that is none, of those that are several.
Result<std::vector<SweepPoint>> pointsOf(const PatternFlags &flags);

/// Whether there is more than one.
bool isSweep(const PatternFlags &flags);

/// Measured and predicted times over n where there are several, else over the first parameter that
/// is swept; a series for each pattern and combination of the others.
Plot plotOf(const std::vector<BenchReport> &reports);

} // namespace sparsec::cli
