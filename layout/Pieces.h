// The runs of rows that are finished, in pieces.
#pragma once

#include "layout/BlockLayout.h"

#include <algorithm>

namespace sparsec {

/// They move to the layout a piece at a time, so that no moment holds them twice.
class Pieces {
public:
  void add(const std::vector<BlockRun> &row) {
    constexpr size_t kPiece = size_t{1} << 16;
    if (pieces.empty() || pieces.back().size() >= kPiece) {
      starts.push_back(count);
      pieces.emplace_back().reserve(kPiece);
    }
    pieces.back().insert(pieces.back().end(), row.begin(), row.end());
    count += static_cast<int64_t>(row.size());
  }
  /// The runs begin .. end - 1 of one row.
  std::span<const BlockRun> row(int64_t begin, int64_t end) const {
    if (begin == end)
      return {};
    size_t piece = std::upper_bound(starts.begin(), starts.end(), begin) - starts.begin() - 1;
    return {pieces[piece].data() + (begin - starts[piece]), static_cast<size_t>(end - begin)};
  }
  int64_t size() const { return count; }
  std::vector<BlockRun> take() {
    std::vector<BlockRun> all;
    all.reserve(count);
    for (std::vector<BlockRun> &piece : pieces) {
      all.insert(all.end(), piece.begin(), piece.end());
      piece = {};
    }
    return all;
  }

private:
  std::vector<std::vector<BlockRun>> pieces;
  std::vector<int64_t> starts; ///< of each piece, in runs
  int64_t count = 0;
};

} // namespace sparsec
