// Operations on the pairs of a pattern, as plans, folders and reports see them: what differs from
// one to the other, a row for each pass over the pairs.
//
//   operation   pass      kernels of an entry                      folds
//   forward               ENTRY_forward                            rows
//   backward    queries   ENTRY_backward_delta, ENTRY_backward_dq  rows
//               keys      ENTRY_backward_dkv                       columns
#pragma once

#include "codegen/ChooseSchedule.h"
#include "kernel/ops/Parts.h"
#include "layout/LaunchNumbers.h"

#include <span>

namespace sparsec::cli {

/// What is asked for of a head entry, whatever is computed of it.
struct HeadRequest {
  std::string entry; ///< of its kernels, without what tells them apart
  Expr attend;
  DType dtype = DType::BF16;
  int headDim = 64, valueDim = 64;
  Block block; ///< 0: open
  Target target;
};

/// One part of a pass.
struct PartRequest {
  Request request;
  Expr attend; ///< these are the request's
  OrderSpec queryOrder, keyOrder;
  PartRole role;
  Block block;
};

/// A pass over an entry's pairs, as its schedule asks or the cost model chooses.
struct WeighedPass {
  std::vector<PartRequest> parts; ///< in the order they run
  std::vector<Candidate> ways;    ///< what was weighed, the chosen one first
  CostShape shape;                ///< of one copy
};

/// Memory in f32 that launches share: [batch, heads, rows, columns], dense.
struct Workspace {
  enum class Columns : uint8_t { One, HeadDim, ValueDim };
  std::string_view field; ///< of the kernels
  LayoutRows rows;        ///< of queries and their heads, or of keys and theirs
  Columns columns;
};

struct PatternPass {
  std::string_view operation;
  std::string_view name;                 ///< of the pass; empty: the only one
  std::string_view suffix;               ///< of entries and files: "backward_dkv"
  LayoutRows rows;                       ///< that are folded
  std::string_view meet;                 ///< how parts of a head become one
  std::span<const Workspace> workspaces; ///< that its launches share with others
  Result<WeighedPass> (*weigh)(HeadRequest head, const ScheduleChoice &choice);

  /// "backward, keys"
  std::string title() const;
};

/// In the order they run.
std::span<const PatternPass> patternPasses();
/// Their operations, each once.
std::vector<std::string> patternOperations();

} // namespace sparsec::cli
