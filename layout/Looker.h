// The blocks of a rectangle of two axes by questions: rectangles of blocks that classify() decides
// whole or that are cut in two, down to one block; in a block, rectangles of pairs likewise, until
// one pair that attends and one that does not have been seen or all are decided.
//
//   causal, 4 x 4 blocks     ? ?      P . | . .
//                            ? ?      F P | . .       the upper right: empty, one question
//                                     ----+----
//                                     F F | P .       the lower left: full, one question
//                                     F F | F P
//
// What queries draw is known one row at a time: there, for a few neighbouring queries that draw the
// same (as a rule all of a block's), what is left of the predicate is asked.
//
//   near or draw(2, q // 64, k // 64, m, s),   row 5:  abs(5 - k // 64) <= 1 or k // 64 == 9 or ...
//   cut where that changes                             . . . . | F F F | . . | F | . . . . | F | . .
#pragma once

#include "layout/BlockLayout.h"
#include "layout/Cuts.h"
#include "layout/DecideBlock.h"

#include <atomic>

namespace sparsec {

/// Rows and columns of blocks.
struct BlockRectangle {
  int64_t rowBegin, rowEnd, columnBegin, columnEnd;
};

/// Rows of blocks as they are found, each from left to right.
struct Strip {
  int64_t first = 0;
  std::vector<std::vector<BlockRun>> rows;
  int64_t runs = 0;
  int64_t mostRuns = 0, mostUnits = 0;
  /// About the runs, and the units of work, of all strips that are found side by side.
  struct Together {
    std::atomic<int64_t> runs = 0, units = 0;
  };
  Together *together = nullptr;
  int64_t unitsTold = 0;
  Work work;

  /// More was found, or done, than there is room for: the rest is not looked at.
  bool stopped() {
    constexpr int64_t kTold = 1'000'000;
    if (together && work.units - unitsTold > kTold)
      tell();
    return runs > mostRuns || work.units > mostUnits ||
           (together && (together->runs.load(std::memory_order_relaxed) > mostRuns ||
                         together->units.load(std::memory_order_relaxed) > mostUnits));
  }
  /// What was done since it was last told.
  void tell() {
    together->units.fetch_add(work.units - unitsTold, std::memory_order_relaxed);
    unitsTold = work.units;
  }
  void append(int64_t row, BlockRun run);
};

/// The two axes of a layout.
struct BlockAxes {
  const Expr &attend;
  const LayoutRequest &request;
  const Order &queries, &keys;
  std::vector<int64_t> shortKeyTiles;
  Cuts cuts; ///< of the predicate

  /// All by reference.
  static BlockAxes of(const Expr &attend, const LayoutRequest &request, const Order &queries,
                      const Order &keys) {
    return {attend, request, queries, keys, keys.shortTiles(), Cuts(attend)};
  }
  std::vector<Range> queryPositions(int64_t first, int64_t last) const;
  /// Appends full blocks, but for key tiles that are short: some of their keys do not exist, or
  /// none.
  void fillFull(const BlockRectangle &blocks, Strip &strip) const;
  /// Columns after the first, ascending, where what is left of the predicate on a row may change.
  std::vector<int64_t> borders(const Expr &left, int64_t columnBegin, int64_t columnEnd) const;
};

class Looker {
public:
  /// What is done is counted in the strip.
  Looker(const Reader &reader, const BlockAxes &axes, Strip &strip)
      : reader(reader, &strip.work), decider(this->reader, strip.work, strip.mostUnits), axes(axes),
        strip(strip) {}
  Looker(const Looker &) = delete;

  /// Appends to the strip's rows all live blocks of these.
  void visit(const BlockRectangle &blocks);

private:
  using Ranges = std::vector<Range>;

  /// Queries that draw the same, and what is left of the predicate there.
  struct Known {
    Range q;
    Expr left;
  };
  Looker(const Reader &ofRow, const Looker &whole, Strip &strip)
      : reader(ofRow, &strip.work), decider(this->reader, strip.work, strip.mostUnits),
        axes(whole.axes), strip(strip), drawn(true) {}

  void visit(const BlockRectangle &blocks, const Ranges &q, const Ranges &k);
  void visitDrawing(const BlockRectangle &row, const Ranges &q);
  void visitKnown(const BlockRectangle &row, const Known &queries, Strip &found) const;
  void learn(const Range &q, const Range &keys, const Expr &predicate, std::vector<Known> &known);
  Coverage classifyAll(const Ranges &q, const Ranges &k) const;

  Reader reader;
  BlockDecider decider;
  const BlockAxes &axes;
  Strip &strip;
  bool drawn = false; ///< what queries draw is in the reader's predicate
};

} // namespace sparsec
