// How much was done to find an answer, in numbers that no other load on the machine changes: tests
// hold algorithms to them. Counted where a request points to one, by one thread.
//
//   n = 1,048,576, blocks of 128: 8,192 rows       questions  evaluations      runs
//   local(128): rows repeat, and are copied              168            8     8,193
//   0 <= q - k < 128 + q // 4096: they do not        101,088       97,788    28,543
//   all blocks, for comparison                    67,108,864
#pragma once

#include <cstdint>

namespace sparsec {

struct Work {
  int64_t questions = 0;   ///< rectangles that a proof was tried for
  int64_t evaluations = 0; ///< each of a pair, or of up to 64 keys of one query at once
  int64_t runs = 0;        ///< of blocks or positions: found, copied or compared
  int64_t words = 0;       ///< of sets of positions, 64 in each

  /// Of an optional one.
  static void add(Work *work, int64_t Work::*what, int64_t count = 1) {
    if (work)
      work->*what += count;
  }
};

} // namespace sparsec
