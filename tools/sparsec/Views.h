// What `sparsec show` draws of patterns, as text and as panels of a figure.
//
//   fixed on a grid of 4 x 4, l = 4, c = 1, query 9       . . . 2      2: seen through the second
//   (Q the query, 1 and 2 what it sees, by part)          . . . 2      alternative of the pattern's
//                                                         1 Q . .      `or`, the summaries; 1: its
//                                                         . . . .      own block
#pragma once

#include "layout/analysis/Receptive.h"
#include "tools/picture/Figure.h"
#include "tools/sparsec/Plan.h"

namespace sparsec::cli {

/// HxW or DxHxW: rows of a grid that positions fill one by one.
struct TokenGrid {
  int64_t depth = 1, height = 0, width = 0;
  int64_t tokens() const { return depth * height * width; }
};
/// What is wrong with the text, or nothing.
std::string readGrid(const std::string &text, TokenGrid &grid);

/// One predicate with a colour and a name: a head, or an alternative of a head that is a union.
struct Strand {
  std::string name;
  Expr attend;
  int64_t h = 0;
};
/// All heads of a layer; if it has one head, its disjoint parts.
std::vector<Strand> strandsOf(const LoadedPattern &loaded, const Layer &layer);

/// Lines of '.', 'Q', and the number of the strand that sees the key ('*' for more than one).
std::string gridText(const std::vector<Strand> &strands, const TokenGrid &grid, int64_t query);
/// The same after each layer: the number of the first layer after which the query knows the key.
std::string gridText(const std::vector<PairSet> &known, const TokenGrid &grid, int64_t query);

/// One panel for each strand: the grid, the query dark.
std::vector<Panel> gridPanels(const std::vector<Strand> &strands, const TokenGrid &grid,
                              int64_t query);
std::vector<Panel> gridPanels(const std::vector<PairSet> &known, const TokenGrid &grid,
                              int64_t query);
/// All pairs of at most kMostPairs positions, each in the colours of the strands that see it.
inline constexpr int64_t kMostPairs = 512;
Panel pairsPanel(const std::vector<Strand> &strands, const Lengths &at);
/// Which layer lets a position know another: lighter is later.
Panel knownPanel(const std::vector<PairSet> &known);

/// Squares of pairs, or the blocks of a layout: full, partial, empty.
Panel squaresPanel(std::string title, const BlockLayout &layout);
/// Positions by their places in an order.
Panel orderPanel(std::string title, const Order &order);

/// What colours mean: of strands; of layers; of blocks.
std::vector<Legend> legendOf(const std::vector<Strand> &strands);
std::vector<Legend> legendOfLayers(size_t layers);
std::vector<Legend> legendOfBlocks();
/// Of an order's tiles, which its panel has in two colours in turn.
std::vector<Legend> legendOfTiles();
inline constexpr std::string_view kPlaceLabel = "place"; ///< of an order's panel

} // namespace sparsec::cli
