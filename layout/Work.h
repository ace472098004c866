// How much was done to find an answer, in numbers that no other load on the machine changes: tests
// hold algorithms to them, and what would take too much is refused by them.
//
//   n = 1,048,576, blocks of 128: 8,192 rows       questions  evaluations      runs
//   local(128): rows repeat, and are copied              168            8     8,193
//   0 <= q - k < 128 + q // 4096: they do not        101,088       97,788    28,543
//   all blocks, for comparison                    67,108,864
//
// A budget is in units, each about a nanosecond of one core. Threads count on their own; what they
// counted is added up in the order of what they did, so that the sums are the same for any number.
#pragma once

#include <cstdint>

namespace sparsec {

struct Work {
  int64_t questions = 0;   ///< rectangles that a proof was tried for
  int64_t evaluations = 0; ///< each of a pair, or of up to 64 keys of one query at once
  int64_t cells = 0;       ///< of grids of blocks, 64 asked at once
  int64_t runs = 0;        ///< of blocks or positions: found, copied or compared
  int64_t words = 0;       ///< of sets of positions, 64 in each
  int64_t units = 0;       ///< all of it, by what it takes
  static constexpr int64_t kUnitsOfRun = 10;

  void count(int64_t Work::*what, int64_t times, int64_t unitsEach = kUnitsOfRun) {
    this->*what += times;
    units += times * unitsEach;
  }
  /// Of an optional one.
  static void add(Work *work, int64_t Work::*what, int64_t times = 1,
                  int64_t unitsEach = kUnitsOfRun) {
    if (work)
      work->count(what, times, unitsEach);
  }
  void add(const Work &more) {
    questions += more.questions;
    evaluations += more.evaluations;
    cells += more.cells;
    runs += more.runs;
    words += more.words;
    units += more.units;
  }
};

/// What may be spent on one answer when nothing else is said: some twenty seconds of a core.
inline constexpr int64_t kMostUnits = 20'000'000'000;

} // namespace sparsec
