// Which blocks of a head's attention are empty, full or partial, exactly.
//
//   causal, nq = nk = 8, blocks 2 x 2        P . . .      row 0: [0,1) partial
//   (F full, P partial, . empty)             F P . .      row 1: [0,1) full, [1,2) partial
//                                            F F P .      row 2: [0,2) full, [2,3) partial
//                                            F F F P      row 3: [0,3) full, [3,4) partial
//
// Full: every in-range pair attends and all keys of the block exist (a block whose keys pass nk is
// partial). Empty: no pair attends. Partial: anything else, and at least one pair attends.
// Rows past nq do not count. Built hierarchically from classify(), never through an n x n array:
// cost follows the live blocks; memory follows the runs of equal neighbours.
//
// Refused: lengths, positions and blocks outside the ranges given at LayoutRequest; a layout whose
// runs need more than LayoutRequest::maximumBytes; tables of more blocks than 32-bit offsets reach.
#pragma once

#include "layout/Order.h"
#include "layout/Work.h"

#include <span>

namespace sparsec {

enum class BlockKind : uint8_t { Partial, Full };

/// Neighbouring block columns [begin, end) of one kind.
struct BlockRun {
  int32_t begin = 0, end = 0;
  BlockKind kind = BlockKind::Partial;
  bool operator==(const BlockRun &) const = default;
};

struct BlockCounts {
  int64_t live = 0, full = 0, partial = 0;
  bool operator==(const BlockCounts &) const = default;
};

/// Of some rows of blocks.
struct RowCounts {
  std::vector<BlockCounts> rows;
  bool exact = true; ///< else of rows that were too long, from some of their blocks
};

struct LayoutRequest {
  int64_t nq = 0, nk = 0; ///< 0 .. 2^31 - 1
  /// Position of query row 0. Launches take nk - nq unless told otherwise; nothing fills it in
  /// here.
  int64_t q0 = 0;
  int64_t h = 0;                ///< the model's head
  int blockQ = 64, blockK = 64; ///< at least 1
  /// The most that the runs and row starts of the layout may take. A layout that needs more is an
  /// error of kind Machine.
  int64_t maximumBytes = int64_t{1} << 28;
  /// The most that may be done for one answer, in Work::units: past it, an error of kind Machine.
  int64_t maximumUnits = kMostUnits;
  int threads = 0; ///< 0: as many as the machine has
  /// How rows of blocks are found: by grids of cells where that is the shorter way, or by one way
  /// alone, for tests.
  enum class Search : uint8_t { Auto, Cells, Rectangles } search = Search::Auto;
  Work *work = nullptr; ///< to count in; layouts do not keep it

  Sizes sizes() const { return {.nq = nq, .nk = nk}; }
  bool operator==(const LayoutRequest &) const = default;
};

/// The axes exchanged: what the layout of exchanged(attend, request.q0) is asked for, whose rows
/// are the columns of the request's.
LayoutRequest exchanged(LayoutRequest request);

/// What a kernel reads: for layout row r, columns[offsets[2r] .. offsets[2r+1]) are its partial
/// blocks and columns[offsets[2r+1] .. offsets[2r+2]) its full ones; rowOrder lists the rows,
/// longest first.
struct BlockTables {
  std::vector<int32_t> offsets; ///< 2 * rows + 1
  std::vector<int32_t> columns;
  std::vector<int32_t> rowOrder; ///< rows
};

class BlockLayout {
public:
  /// Both axes in natural order, in tiles of blockQ and blockK.
  static Result<BlockLayout> build(const Expr &attend, const LayoutRequest &request);
  /// Block row i is tile i of `queries` (over nq rows), block column j tile j of `keys` (over nk).
  static Result<BlockLayout> build(const Expr &attend, const LayoutRequest &request,
                                   const Order &queries, const Order &keys);

  /// The counts of some block rows alone: for estimates. The request is one that build() accepts;
  /// its budgets do not count: of a row of many blocks in which little repeats some are counted.
  static RowCounts countRows(const Expr &attend, const LayoutRequest &request, const Order &queries,
                             const Order &keys, std::span<const int64_t> rows);

  const LayoutRequest &request() const { return asked; }
  int64_t rows() const { return static_cast<int64_t>(rowBegin.size()) - 1; }
  int64_t columns() const { return columnCount; }
  /// Live runs of a block row, ascending, neighbours of one kind merged.
  std::span<const BlockRun> row(int64_t i) const;
  BlockCounts counts() const { return total; }

  /// The same blocks, listed by block column (for dK and dV): rows() are then key blocks and a
  /// run's columns query blocks.
  BlockLayout transpose() const;
  /// Error when the columns do not fit 32-bit offsets.
  Result<BlockTables> tables() const;
  std::string print() const; ///< the picture above, a line a row

  /// The same blocks (how they were asked for does not count).
  bool operator==(const BlockLayout &other) const;

private:
  LayoutRequest asked;
  int64_t columnCount = 0;
  std::vector<int64_t> rowBegin = {0}; ///< into runs; rows + 1
  std::vector<BlockRun> runs;
  BlockCounts total;

  friend class LayoutBuilder;
  friend class TransposedBuilder;
};

/// Number of (q, k) pairs that attend, exactly, without visiting each where the predicate has
/// structure (bounds, periods, steps); blocks do not matter. A hash of q and k has none: each pair
/// is visited. Error of kind Machine: more work than the request allows.
Result<int64_t> countElements(const Expr &attend, const LayoutRequest &request);

/// Pairs with k <= q: what dense causal attention computes.
int64_t causalElements(const LayoutRequest &request);

} // namespace sparsec
