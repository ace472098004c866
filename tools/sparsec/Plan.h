// What would be built for a pattern: one kernel for each distinct head entry and target, at the
// block that the schedule asks for or the compiler chooses.
//
//   strided, 8 heads, sm_80      kernel strided_row_forward      128x64   heads 0 2 4 6
//                                kernel strided_column_forward   128x64   heads 1 3 5 7
#pragma once

#include "tools/sparsec/PatternFlags.h"

namespace sparsec::cli {

struct PlannedKernel {
  KernelRequest request;    ///< with its block
  std::vector<int> entries; ///< of the pattern: equal predicates share a kernel
  std::string stem;         ///< of its files' names
};

struct Plan {
  LoadedPattern loaded;
  std::vector<PlannedKernel> kernels;

  /// The kernel of an entry for the first target.
  const PlannedKernel &kernelOf(int entry) const;
};

enum class PlanFor {
  Kernels,
  Pictures, ///< any block that is asked for will do, whether or not a kernel could have it
};
Result<Plan> makePlan(const PatternFlags &flags, const std::vector<Target> &targets,
                      PlanFor use = PlanFor::Kernels);

/// Schedules that the language has and no kernel yet, by name.
Result<void> refuseUnbuilt(const Pattern &pattern);

/// A name made of letters, digits and underscores.
std::string identifier(const std::string &name);

/// One row of a report: an entry of the pattern, or one head of it where the predicate tells heads
/// apart.
struct HeadRow {
  std::string name;
  int entry = 0;
  int64_t h = 0; ///< the model's head that stands for the row
  std::vector<int64_t> heads;
};
std::vector<HeadRow> headRows(const LoadedPattern &loaded);

} // namespace sparsec::cli
