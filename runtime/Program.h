// The attention of one layer as a program on a device: the kernels of every head entry, loaded
// once, and for each shape a plan, made once.
//
//   pattern of two entries, 6 heads      entry 0: heads 0 2 4     entry 1: heads 1 3 5
//   forward                              a launch for each part of each entry
//   backward                             the launches of AttentionBackward.h
//   decode                               those of AttentionDecode.h for each entry: of shapes whose
//                                        nq is that of new queries, n the rows of the cache
//   mass                                 those of AttentionMass.h, of entries one after the other
//
// A program and its plans are immutable to whoever uses them, and safe to use from several threads:
// several may launch one plan at once, each with a workspace of its own. Plans live as long as
// their program: a captured graph may read them.
#pragma once

#include "runtime/Attention.h"
#include "runtime/AttentionBackward.h"
#include "runtime/AttentionDecode.h"
#include "runtime/AttentionMass.h"

#include <shared_mutex>
#include <unordered_map>

namespace sparsec {

/// The kernels of one place in a layer's list: heads place, place + places, ... of a model.
struct ProgramEntry {
  std::string name; ///< of the pattern's head entry
  Expr attend;
  std::vector<AttentionPart> forward;      ///< empty: not asked for
  std::vector<BackwardPart> queries, keys; ///< likewise
  std::vector<DecodePart> decode;          ///< likewise
  std::vector<MassPart> mass;              ///< likewise; else one
};

/// What a program is made of: read of a compiler, a store or a folder.
struct ProgramParts {
  std::string pattern; ///< its name
  Target target;
  DType dtype = DType::F32;
  int headDim = 64, valueDim = 64;
  std::vector<ProgramEntry> entries;

  bool hasForward() const { return !entries.front().forward.empty(); }
  bool hasBackward() const { return !entries.front().queries.empty(); }
  bool hasDecode() const { return !entries.front().decode.empty(); }
  bool hasMass() const { return !entries.front().mass.empty(); }
};

/// Blocks that launches go over.
struct WorkCounts {
  int64_t live = 0, full = 0; ///< full ones are live
  int64_t all = 0;            ///< pairs of a tile of queries and a tile of keys
};

/// What launches of one shape read.
class ProgramPlan {
public:
  const AttentionShape &shape() const { return asked; }
  /// What a call needs while it runs, at a multiple of 256 bytes; its contents do not matter.
  size_t forwardWorkspace() const { return forwardSums + forwardScratch; }
  size_t backwardWorkspace() const {
    return gradients ? gradients->workspaceBytes() + gradients->scratchBytes() : 0;
  }
  size_t decodeWorkspace() const { return decodeSums + decodeScratch; }
  size_t massWorkspace() const { return massScratch; }
  /// Of all heads and batches.
  WorkCounts forwardWork() const { return forwardCounts; }
  WorkCounts backwardWork() const { return backwardCounts; }
  /// Of each entry, empty without forward; and of backward.
  const std::vector<AttentionPlan> &forwardPlans() const { return entries; }
  const std::optional<AttentionBackwardPlan> &backwardPlan() const { return gradients; }
  /// Of each entry; empty without decode, and of shapes with more queries than it takes.
  const std::vector<AttentionDecodePlan> &decodePlans() const { return decodes; }
  /// Of each entry, of one batch; empty without mass.
  const std::vector<AttentionMassPlan> &massPlans() const { return masses; }
  /// Blocks of one batch.
  size_t massBlocks() const;

private:
  friend class Program;
  void count();

  AttentionShape asked;
  std::vector<AttentionPlan> entries;
  std::optional<AttentionBackwardPlan> gradients;
  std::vector<AttentionDecodePlan> decodes;
  std::vector<AttentionMassPlan> masses;
  size_t forwardSums = 0, forwardScratch = 0, decodeSums = 0, decodeScratch = 0, massScratch = 0;
  WorkCounts forwardCounts, backwardCounts;
};

class Program {
public:
  static Result<std::shared_ptr<Program>> load(std::shared_ptr<Device> device, ProgramParts parts);

  const ProgramParts &parts() const { return source; }
  Device &device() const { return *machine; }
  /// The plan of a shape, if there is one.
  std::shared_ptr<const ProgramPlan> find(const AttentionShape &shape) const;
  /// The same, made if there is none.
  Result<std::shared_ptr<const ProgramPlan>> prepare(const AttentionShape &shape);

  /// Launches of a plan of this program. The call's workspace is the plan's forwardWorkspace(),
  /// backwardWorkspace() and so on, scratch included: `scratch` is not used.
  Result<void> forward(const ProgramPlan &plan, const AttentionCall &call) const;
  Result<void> backward(const ProgramPlan &plan, const AttentionBackwardCall &call) const;
  Result<void> decode(const ProgramPlan &plan, const AttentionDecodeCall &call) const;
  /// mass and squares are f32 [batch, massBlocks()].
  Result<void> mass(const ProgramPlan &plan, const AttentionMassCall &call) const;

private:
  struct HashOfShape {
    size_t operator()(const AttentionShape &shape) const;
  };
  Result<std::shared_ptr<ProgramPlan>> makePlan(const AttentionShape &shape) const;
  Result<void> prepareDecode(ProgramPlan &plan) const;
  Result<void> prepareMass(ProgramPlan &plan) const;

  std::shared_ptr<Device> machine;
  ProgramParts source; ///< without the code, which is loaded
  std::vector<Attention> entries;
  std::optional<AttentionBackward> gradients;
  std::vector<AttentionDecode> decodes;
  std::vector<AttentionMass> masses;
  mutable std::shared_mutex mutex;
  std::unordered_map<AttentionShape, std::shared_ptr<const ProgramPlan>, HashOfShape> plans;
};

} // namespace sparsec
