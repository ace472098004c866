// The order in which the tokens of one axis fill tiles: a list of runs, each an affine map
// position = base + i * pitch with a count.
//
//   natural, n = 8, tiles of 4:     tile 0: 0 1 2 3   tile 1: 4 5 6 7     one run {0, 1, 8}
//   (later) residue 2:              tile 0: 0 2 4 6   tile 1: 1 3 5 7     runs {0, 2, 4} {1, 2, 4}
//
// A tile holds part of one run or several whole runs, never parts of two. Layouts, masks, loads and
// stores see positions only through rows(). Positions are 0 .. n-1 of their own axis: a query row's
// position on the common axis is row + q0.
#pragma once

#include "patterns/Classify.h"

namespace sparsec {

class Order {
public:
  /// n >= 0, tile >= 1.
  static Order natural(int64_t n, int tile);

  int64_t size() const { return n; }    ///< tokens
  int tile() const { return tileSize; } ///< rows of a tile, the last may have fewer
  int64_t tileCount() const;
  /// The positions of a tile: progressions of at most tile() tokens in all.
  std::vector<Range> rows(int64_t tile) const { return rows(tile, tile + 1); }
  /// The positions of tiles [first, last), not empty, in as few progressions as there are.
  std::vector<Range> rows(int64_t first, int64_t last) const;
  /// The tiles of fewer than tile() tokens, ascending.
  std::vector<int64_t> shortTiles() const;

private:
  int64_t n = 0;
  int tileSize = 1;
};

} // namespace sparsec
