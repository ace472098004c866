// The order in which the tokens of one axis fill tiles, at one length.
//
//   natural, n = 8, tiles of 4      0 1 2 3 | 4 5 6 7
//   residue 2, n = 10, tiles of 4   0 2 4 6 | 8 | 1 3 5 7 | 9          chains cut in tiles
//   residue 4, n = 10, tiles of 8   0 1 4 5 8 9 | 2 3 6 7              two whole chains in a tile
//   tails 4, 1, n = 12, tiles of 3  3 7 11 | 0 1 2 | 4 5 6 | 8 9 10    whole tails, then bodies
//   grid 4 x 4 by 2 x 2, tiles of 4 0 1 4 5 | 2 3 6 7 | 8 9 12 13 | 10 11 14 15
//
// A tile holds part of one run (a chain, a tail, a body, a box of the grid) or several whole runs,
// never parts of two: so a tile may have fewer tokens than it has room for, and at a ragged end
// none. Layouts, masks, loads and stores see positions only through rows(). Positions are 0 .. n-1
// of their own axis: a query row's position on the common axis is row + q0.
//
// What a kernel computes. Every order but a table is one or two lattices: tokens at
// base + x0 pitch0 + x1 pitch1 + x2 pitch2 with x < extent, cut along each axis into boxes (of runs
// that belong together) and each box into tiles. Axes by falling pitch; positions rise in a tile.
//
//   residue 128, n = 12,288, tiles of 64:     axis   pitch  extent  box  cut    boxes  parts
//                                             0        128      96   96   64        1      2
//                                             1          1     128    1    1      128      1
//   tile 5 = box 2, part 1                    first position 2 + 64 * 128, then 32 rows of pitch
//                                             128: TileRows {8194, {32 by 128, 1 by 1}, 32}
//
//   (tile / parts, tile % parts) are mixed-radix numbers of the axes, the last axis fastest:
//     x = box number * box + part number * cut
//     count = min(cut, box - part number * cut, extent - x), 0 where that is negative
//     row r of the tile: (r / count1) * pitch0 + r % count1 * pitch1 + first, for two axes
//   and a row exists when it is below the product of the counts and its position below n. The
//   existing rows are the first ones. A host computes the lattice's numbers from n and hands them
//   to a kernel that serves any n.
#pragma once

#include "patterns/Classify.h"
#include "patterns/OrderSpec.h"

#include <array>

namespace sparsec {

/// The rows of one tile: row r has position base + sum of digit * pitch, the digits of r with the
/// last one fastest.
struct TileRows {
  struct Digit {
    int64_t count = 1, pitch = 0;
    bool operator==(const Digit &) const = default;
  };
  int64_t base = 0;
  std::array<Digit, 3> digits; ///< outermost first; leading ones may have count 1
  int64_t count = 0;           ///< of rows: 0 .. count - 1 exist, the product of counts at most

  int64_t position(int64_t row) const;
  bool operator==(const TileRows &) const = default;
};

/// Tokens on a grid of up to three axes, cut into boxes and tiles: see above.
struct Lattice {
  struct Axis {
    int64_t pitch = 0, extent = 1, box = 1, cut = 1;
    int64_t boxes() const { return (extent + box - 1) / box; }
    int64_t parts() const { return (box + cut - 1) / cut; }
  };
  int64_t firstTile = 0; ///< the lattice's tile 0 in the order
  int64_t base = 0;
  std::array<Axis, 3> axes; ///< by falling pitch; leading ones may have extent 1

  int64_t tileCount() const;
  /// Of the lattice's tile, on an axis of n tokens.
  TileRows rows(int64_t tile, int64_t n) const;
};

class Order {
public:
  /// n >= 0, tile >= 1. Error: an order that is none, or a table of another length.
  static Result<Order> make(const OrderSpec &spec, int64_t n, int tile);
  static Order natural(int64_t n, int tile);

  const OrderSpec &spec() const { return asked; }
  int64_t size() const { return n; }    ///< tokens
  int tile() const { return tileSize; } ///< rows of a tile; it may hold fewer tokens
  int64_t tileCount() const { return tiles; }
  int64_t tokens(int64_t tile) const; ///< of a tile: 0 .. tile()

  /// The positions of tiles [first, last) in few progressions, in no particular order; none when
  /// the tiles hold no token.
  std::vector<Range> rows(int64_t first, int64_t last) const;
  std::vector<Range> rows(int64_t tile) const { return rows(tile, tile + 1); }
  /// The positions of a tile, row by row.
  std::vector<int64_t> positions(int64_t tile) const;
  /// What a kernel computes for positions(tile); nothing for a table, which is gathered.
  std::optional<TileRows> tileRows(int64_t tile) const;
  const std::vector<Lattice> &lattices() const { return pieces; } ///< none for a table
  /// The tiles of fewer than tile() tokens, ascending.
  std::vector<int64_t> shortTiles() const;

  /// The least number of tiles further on that has the same rows again, so many positions further
  /// on; nothing when the order has no such step. What ends early or at n has not: see unlike().
  struct Step {
    int64_t tiles = 0, positions = 0;
  };
  std::optional<Step> step() const;
  /// The tiles from `tiles` (of some whole steps) on whose rows are not those of the tile so many
  /// before, moved: ascending.
  std::vector<int64_t> unlike(int64_t tiles) const;

private:
  void addLattice(Lattice lattice);
  const Lattice &latticeOf(int64_t tile) const;
  const std::vector<int32_t> *table() const;

  OrderSpec asked;
  int64_t n = 0;
  int tileSize = 1;
  int64_t tiles = 0;
  std::vector<Lattice> pieces;
};

} // namespace sparsec
