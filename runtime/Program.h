// The attention of one layer as a program on a device: the kernels of every head entry, loaded
// once, and for each shape a plan, made once.
//
//   pattern of two entries, 6 heads      entry 0: heads 0 2 4     entry 1: heads 1 3 5
//   forward                              a launch for each part of each entry
//   backward                             the launches of AttentionBackward.h
//
// A program and its plans are immutable to whoever uses them, and safe to use from several threads.
#pragma once

#include "runtime/Attention.h"
#include "runtime/AttentionBackward.h"

#include <mutex>
#include <shared_mutex>

namespace sparsec {

/// The kernels of one place in a layer's list: heads place, place + places, ... of a model.
struct ProgramEntry {
  std::string name; ///< of the pattern's head entry
  Expr attend;
  std::vector<AttentionPart> forward;      ///< empty: not asked for
  std::vector<BackwardPart> queries, keys; ///< likewise
};

struct ProgramParts {
  std::string pattern; ///< its name
  Target target;
  DType dtype = DType::F32;
  int headDim = 64, valueDim = 64;
  std::vector<ProgramEntry> entries;

  bool hasForward() const { return !entries.front().forward.empty(); }
  bool hasBackward() const { return !entries.front().queries.empty(); }
};

/// What launches of one shape need.
class ProgramPlan {
public:
  /// Of tensors alone; shape and heads are the plan's.
  Result<void> forward(const AttentionCall &call) const;
  Result<void> backward(const AttentionBackwardCall &call) const;
  const AttentionShape &shape() const { return asked; }

private:
  friend class Program;
  AttentionShape asked;
  struct Entry {
    Heads heads;
    Attention attention;
  };
  mutable std::mutex launching;
  mutable std::vector<Entry> entries;
  mutable std::optional<AttentionBackward> gradients;
};

class Program {
public:
  static Result<std::shared_ptr<Program>> load(std::shared_ptr<Device> device, ProgramParts parts);

  const ProgramParts &parts() const { return source; }
  Device &device() const { return *machine; }
  /// The plan of a shape: made at the first call.
  Result<std::shared_ptr<const ProgramPlan>> prepare(const AttentionShape &shape);

private:
  std::shared_ptr<Device> machine;
  ProgramParts source;
  std::mutex mutex;
  std::vector<std::shared_ptr<const ProgramPlan>> plans;
};

} // namespace sparsec
