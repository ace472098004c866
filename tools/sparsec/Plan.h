// What would be built for a pattern: for each distinct head entry that its layers use and each
// target the kernels that compute it, as the schedule asks or the cost model chooses: one, or one
// for each part of a split head.
//
//   strided-merged, 8 heads, sm_80     head merged, 32x32, in two parts:
//     strided_merged_merged_forward_part1    residue 128    the column, and starts from nothing
//     strided_merged_merged_forward_part2    natural        the row, and goes on from there
#pragma once

#include "codegen/ChooseSchedule.h"
#include "kernel/ops/Attention.h"
#include "tools/sparsec/Names.h"
#include "tools/sparsec/PatternFlags.h"

namespace sparsec::cli {

struct PlannedKernel {
  AttentionRequest request; ///< with its block, orders and role
  std::vector<int> entries; ///< of the pattern: equal predicates share kernels
  std::string stem;         ///< of its files' names
};

/// Entries that share kernels, for one target.
struct PlannedHead {
  std::vector<int> entries;
  std::vector<size_t> kernels; ///< of Plan::kernels, the parts in the order they run
  std::vector<Candidate> ways; ///< what was weighed, the chosen one first; costs are estimates
  LayoutRequest weighed;       ///< what they are the costs of
};

struct Plan {
  LoadedPattern loaded;
  int64_t weighedAt = 0;              ///< n of the cost model's choice
  std::vector<std::string> headNames; ///< headNamesOf()
  /// Of the kernel that computes an entry; of its parts without their suffixes.
  std::string forwardName(int entry) const;
  std::vector<PlannedKernel> kernels;
  std::vector<PlannedHead> heads;

  /// Of an entry that a layer uses, for the first target.
  const PlannedHead &headOf(int entry) const;
  /// The kernel of its first part; block, dtype and dims are all parts'.
  const PlannedKernel &kernelOf(int entry) const { return kernels[headOf(entry).kernels[0]]; }
  std::vector<AttentionRequest> partsOf(int entry) const;
  /// What `copies` heads of an entry are made of.
  CostShape shapeOf(int entry, int64_t copies) const;
};

/// Of a pattern's entries, in symbols, constants and files: identifiers, no two the same.
std::vector<std::string> headNamesOf(const Pattern &pattern);

/// The operations that plans have kernels of.
std::vector<std::string> plannedOperations();

/// The length at which ways are weighed when none is given.
inline constexpr int64_t kWeighedAt = 4096;

enum class PlanFor {
  Kernels,
  Pictures, ///< and counts: any block that is asked for, whether or not a kernel could have it
};
/// Weighed at -n, or kWeighedAt.
Result<Plan> makePlan(const PatternFlags &flags, const std::vector<Target> &targets);
/// Of a pattern that was loaded with these flags, weighed at n.
Result<Plan> makePlan(LoadedPattern loaded, const PatternFlags &flags,
                      const std::vector<Target> &targets, int64_t n, PlanFor use);

/// An error about a head's schedule, with the place in its file that it is about.
Error located(Error error, const HeadEntry &head);

/// One row of a report about a layer: an entry of the pattern, or one head of it where the
/// predicate tells heads apart.
struct HeadRow {
  std::string name;
  int entry = 0;
  int64_t h = 0; ///< the model's head that stands for the row
  std::vector<int64_t> heads;
};
std::vector<HeadRow> headRows(const LoadedPattern &loaded, const Layer &layer);

} // namespace sparsec::cli
