// What would be built for a pattern: for each distinct head entry that its layers use, each target
// and each operation the requests of its passes, as the schedule asks or the cost model chooses for
// that pass: one, or one for each part of a split head.
//
//   strided-merged, 8 heads, sm_80                            head merged
//     strided_merged_merged_forward_part1        residue 128  the column, and starts from nothing
//     strided_merged_merged_forward_part2        natural      the row, and goes on from there
//     strided_merged_merged_backward_part1, ...  residue 128  delta and dq of the column
//     strided_merged_merged_backward_dkv_part1   residue 128  dk and dv of the column
#pragma once

#include "tools/sparsec/Names.h"
#include "tools/sparsec/PatternFlags.h"
#include "tools/sparsec/PatternPasses.h"

namespace sparsec::cli {

struct PlannedRequest : PartRequest {
  const PatternPass *pass = nullptr;
  int part = 0, parts = 1;  ///< of the pass
  std::vector<int> entries; ///< of the pattern: equal predicates share kernels
  std::string headName;     ///< what its files' names begin with: "row", "merged.part1"

  /// "row.backward_dkv.sm_80"
  std::string stem() const;
  bool usesHead() const { return mentions(attend, Op::Head); }
  /// What launches at this length need; request.h is not used.
  Result<PassNumbers> numbers(const Lengths &at, const Heads &heads, int threads) const;
};

struct PlannedPass {
  const PatternPass *pass = nullptr;
  std::vector<size_t> requests; ///< of Plan::requests, the parts in the order they run
  std::vector<Candidate> ways;  ///< as in WeighedPass
  CostShape shape;

  CostShape shapeOf(int64_t copies) const;
  /// What its layouts are of: of work that is Positions, all there are.
  Lengths lengths(const Lengths &at) const;
  /// At those lengths.
  CostTarget costTarget(const Target &target, const Lengths &at) const;
};

/// Entries that share kernels, for one target.
struct PlannedHead {
  std::vector<int> entries;
  Target target;
  std::vector<PlannedPass> passes; ///< in the order they run
};

struct Plan {
  LoadedPattern loaded;
  int64_t weighedAt = 0; ///< n of the cost model's choice
  DType dtype = DType::BF16;
  int headDim = 0, valueDim = 0;
  std::vector<std::string> headNames; ///< headNamesOf()
  std::vector<PlannedRequest> requests;
  std::vector<PlannedHead> heads;
  Ledger *ledger = nullptr; ///< that it was weighed with, and is counted with

  /// What the names of an entry's kernels in a pass begin with: "strided_row_backward_dkv".
  std::string symbol(int entry, const PatternPass &pass) const;
  /// Of an entry that a layer uses, for the first target.
  const PlannedHead &headOf(int entry) const;
  /// The parts of a pass, of its operation's own type.
  template <class R>
  std::vector<R> partsOf(const PlannedPass &pass) const {
    std::vector<R> parts;
    for (size_t i : pass.requests)
      parts.push_back(*requests[i].request.as<R>());
    return parts;
  }
};

/// Of a pattern's entries, in symbols, constants and files: identifiers, no two the same.
std::vector<std::string> headNamesOf(const Pattern &pattern);

/// The length at which ways are weighed when none is given.
inline constexpr int64_t kWeighedAt = 4096;

struct PlanFor {
  std::vector<std::string> operations; ///< of patternOperations()
  bool anyBlock = false; ///< that is asked for, whether or not a kernel could have it: for pictures
};
/// Of what pictures show and comparisons count.
extern const PlanFor kForPictures;
/// Of the operations of the flags, weighed at -n, or kWeighedAt.
Result<Plan> makePlan(const PatternFlags &flags, const std::vector<Target> &targets,
                      Ledger &ledger);
/// Of a pattern that was loaded with these flags, weighed at n.
Result<Plan> makePlan(LoadedPattern loaded, const PatternFlags &flags,
                      const std::vector<Target> &targets, int64_t n, const PlanFor &use,
                      Ledger &ledger);

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
