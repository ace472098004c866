// What each position can know after one, two, ... layers: pictures of the receptive field, for few
// positions (layout/analysis/Reach.h counts for many).
//
//   factorised in three, l = 2: steps of 1, then of 2, then of 4; what 7 knows after each layer
//
//   layer 1: steps of 1        . . . . . . # #
//   layer 2: steps of 2        . . . . # # # #      6 and 7 know 4 and 5 through 4 -> 6, 5 -> 7
//   layer 3: steps of 4        # # # # # # # #
//
// Refused: more than kMostReceptive positions.
#pragma once

#include "layout/analysis/Reach.h"

namespace sparsec {

inline constexpr int64_t kMostReceptive = 4096;

/// A set of pairs (row, column) of positions.
class PairSet {
public:
  explicit PairSet(int64_t n) : n(n), words((n + 63) / 64), bits(n * words) {}

  int64_t size() const { return n; }
  bool at(int64_t row, int64_t column) const {
    return bits[row * words + column / 64] >> (column % 64) & 1;
  }
  void add(int64_t row, int64_t column) {
    bits[row * words + column / 64] |= uint64_t{1} << (column % 64);
  }
  /// Adds row `from` of another set to a row of this one.
  void addRow(int64_t row, const PairSet &other, int64_t from);

private:
  int64_t n, words;
  std::vector<uint64_t> bits;
};

/// After each layer of the request: (i, j) when position i can know j. Not bounded by j <= i.
Result<std::vector<PairSet>> receptive(const ReachRequest &request);

} // namespace sparsec
