// Tiles of an order that are alike: the same rows, at positions that move by fixed steps.
//
//   residue 128, n = 12,288, tiles of 64     base   digits (count by step)      rows of a tile
//     first parts of all chains                 0   128 by 1                    64 by 128
//     second parts                           8192   128 by 1                    32 by 128
//   natural, n = 1,000, tiles of 64             0   15 by 64                    64 by 1
//                                             960                               40 by 1
//
// A handful of sections are all tiles of an order, at any length: what holds a step further in a
// digit holds for as many tiles as it has values.
#pragma once

#include "layout/Order.h"

namespace sparsec {

struct Section {
  struct Digit {
    int64_t count = 1, step = 0; ///< in positions
    bool operator==(const Digit &) const = default;
  };
  int64_t base = 0;          ///< added to the positions of a tile
  std::vector<Digit> digits; ///< of more than one value each
  std::vector<Range> tile;   ///< positions of the first tile less base; one at least
  int64_t tokens = 0;        ///< of each tile

  int64_t tiles() const;
  bool single() const { return digits.empty(); }
  /// The positions of the first tile.
  std::vector<Range> positions() const;
  /// A progression that all positions are in.
  Range around() const;
  /// The digit that moves the furthest.
  size_t widest() const;
  /// Of a digit's values, `count` from `first` on.
  Section slice(size_t digit, int64_t first, int64_t count) const;
  /// The same, moved.
  Section moved(int64_t by) const;
};

/// All tiles that hold a token; nothing for a table.
std::optional<std::vector<Section>> sectionsOf(const Order &order);
/// One tile; nothing when it holds no token.
std::optional<Section> sectionOf(const Order &order, int64_t tile);

} // namespace sparsec
