// Operations on the pairs of a pattern, as plans, folders and reports see them: what differs from
// one to the other, a row for each pass over the pairs.
//
//   operation   pass      kernels of an entry                      an item of work is
//   forward               ENTRY_forward                            a row of blocks
//   backward    queries   ENTRY_backward_delta, ENTRY_backward_dq  a row of blocks
//               keys      ENTRY_backward_dkv                       a column of blocks
//   decode                ENTRY_decode, ENTRY_decode_merge         a slice of one query's blocks
//   mass                  ENTRY_mass                               a block
//
// Forward and backward are made where nobody says of which operations; the others must be asked
// for.
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
  PartRole role; ///< in a chain of kernels that go on from each other's sums
  Block block;   ///< of the layout
};

/// A pass over an entry's pairs, as its schedule asks or the cost model chooses.
struct WeighedPass {
  std::vector<PartRequest> parts; ///< in the order they run
  std::vector<Candidate> ways;    ///< what was weighed, the chosen one first
  CostShape shape;                ///< of one copy
};

/// What an item of a pass's work is.
enum class PassWork : uint8_t {
  Queries,   ///< a row of blocks of queries
  Keys,      ///< a row of blocks of keys: the transposed layout
  Positions, ///< a slice of the blocks of one query, which may be at any position
  Blocks,    ///< a live block
};

/// Memory in f32 that launches share, dense: [batch, heads, rows, columns] of queries and their
/// heads, or of keys and theirs; of positions [slots, batch, groups, queries, heads of a group,
/// columns] (docs/manifest.md).
struct Workspace {
  enum class Columns : uint8_t { One, HeadDim, ValueDim };
  std::string_view field; ///< of the kernels
  PassWork rows;
  Columns columns;
};

/// What launches on some heads need beside their tensors, at one length.
struct PassNumbers : LaunchNumbers {
  std::vector<int32_t> blocks; ///< the kernels' `blocks`, of work that is Blocks

  int64_t bytes() const {
    return LaunchNumbers::bytes() + static_cast<int64_t>(blocks.size() * sizeof(int32_t));
  }
};

struct PatternPass {
  std::string_view operation;
  std::string_view name;   ///< of the pass; empty: the only one
  std::string_view suffix; ///< of entries and files: "backward_dkv"
  PassWork work;
  std::string_view meet;                 ///< how parts of a head become one
  std::span<const Workspace> workspaces; ///< that its launches share with others
  bool isAsked = false;                  ///< for: else it is there where nothing is said
  Result<WeighedPass> (*weigh)(HeadRequest head, const ScheduleChoice &choice);

  /// "backward, keys"
  std::string title() const;
};

/// In the order they run.
std::span<const PatternPass> patternPasses();
/// Their operations, each once: those that are there where nothing is said, and those that are
/// asked for.
std::vector<std::string> patternOperations();
std::vector<std::string> askedOperations();
/// Of a part, in its block and orders.
Result<PassNumbers> passNumbers(const PatternPass &pass, const PartRequest &part,
                                const LayoutRequest &sizes, const Heads &heads);

} // namespace sparsec::cli
