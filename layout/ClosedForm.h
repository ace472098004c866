// The live blocks of every row of a layout as a few numbers, where they are a few progressions that
// move evenly from row to row: a kernel then computes its blocks from its row's number, for any
// length, and no table of blocks exists.
//
//   local(3), blocks of 2, n = 16     P . . . . . . .     row r, r >= 1: partial r - 1 and r
//                                     P P . . . . . .     row 0: partial 0
//                                     . P P . . . . .
//                                     . . P P . . . .     partial [clamp(r - 1), clamp(r + 1)),
//                                     ...                 clamped to 0 .. 8: one run, one phase
//
// Row r is (u P + p, with u = t M + m): P phases that repeat, each with runs of its own, whose
// bounds move by fixed steps as t and m grow and are clamped to a fixed interval:
//
//   begin = clamp(b0 + b1 t + b2 m, low, high), end likewise
//   columns origin + i step, begin <= i < end
//
// M is how many tiles a box of the query order has (a chain of a residue order): the causal
// triangles of strided attention move by M for each chain and grow by one with each m. A few rows
// at either end may have runs of their own (global tokens, a ragged end).
//
// Rows whose order has two lattices (tails, then bodies) are two forms, one after the other: the
// second counts its rows from its own first one.
//
//   keys by tails 128, 32, which all later queries see     rows 0 ..         runs that end at the last column
//   and the bodies, which their own 128 queries see        rows `next` ..    runs of a period
//
// Found by fitting rows in the middle, then checked against every row of the layout: what is
// returned says exactly the blocks of the layout.
#pragma once

#include "layout/BlockLayout.h"

#include <array>

namespace sparsec {

/// `count` block columns from `first` on.
struct Progression {
  int32_t first = 0, step = 1, count = 0;
  bool operator==(const Progression &) const = default;
};

/// Live blocks of one row; those with count 0 are not there. Disjoint.
struct RowBlocks {
  static constexpr int kPartial = 3, kFull = 2, kRuns = kPartial + kFull;
  std::array<Progression, kRuns> runs; ///< kPartial partial ones, then kFull full ones
};

class ClosedForm {
public:
  /// Rows of a layout that follow one another.
  struct Rows {
    int64_t first = 0, count = 0;
  };
  /// A run of one phase.
  struct Run {
    std::array<int32_t, 3> begin = {}, end = {}; ///< constant, per t, per m
    int32_t low = 0, high = 0;
    int32_t origin = 0, step = 1;
    bool operator==(const Run &) const = default;
  };
  using Phase = std::array<Run, RowBlocks::kRuns>;

  /// Nothing when the rows have no such form. `boxTiles`: see M; 1 where the order has no boxes.
  static std::optional<ClosedForm> find(const BlockLayout &layout, int64_t boxTiles = 1,
                                        Work *work = nullptr);
  /// Of these rows; the form's row 0 is the first of them.
  static std::optional<ClosedForm> find(const BlockLayout &layout, const Rows &rows,
                                        int64_t boxTiles = 1, Work *work = nullptr);

  int64_t rows() const { return rowCount; }
  RowBlocks row(int64_t r) const;
  /// "3 runs a row", "2 runs a row, 4 phases, the first row apart"
  std::string print() const;

  /// What a kernel reads: kHead integers, then kRun for each run of each phase: the lead rows, the
  /// repeating phases, the tail rows. `next`: the form of the rows after these, whose numbers
  /// follow.
  std::vector<int32_t> numbers(const ClosedForm *next = nullptr) const;
  static constexpr int kHead = 10, kRun = 10, kPhase = kRun * RowBlocks::kRuns;
  static constexpr int kLead = 0, kTailStart = 1, kPhases = 2, kBoxTiles = 5; ///< divisors: 3 each
  /// The row from which the next form holds, 2^31 - 1 where there is none, and where its numbers
  /// begin, from these.
  static constexpr int kNext = 8, kNextAt = 9;
  /// Of a run; three numbers of each bound.
  static constexpr int kBegin = 0, kEnd = 3, kLow = 6, kHigh = 7, kOrigin = 8, kStep = 9;

private:
  int64_t rowCount = 0;
  int32_t lead = 0, tail = 0; ///< rows with runs of their own
  int32_t period = 1, boxTiles = 1;
  std::vector<Phase> phases; ///< lead + period + tail

  friend class FormFinder;
};

} // namespace sparsec
