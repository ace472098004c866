#include "tools/sparsec/Views.h"

#include "tools/sparsec/Terminal.h"

#include <algorithm>
#include <fmt/core.h>

namespace sparsec::cli {
namespace {

/// What a query sees of a grid: row by row, frames side by side.
template <class Cell>
void eachCell(const TokenGrid &grid, const Cell &cell) {
  for (int64_t y = 0; y < grid.height; ++y)
    for (int64_t z = 0; z < grid.depth; ++z)
      for (int64_t x = 0; x < grid.width; ++x)
        cell((z * grid.height + y) * grid.width + x, y, z * grid.width + x);
}

template <class Letter>
std::string gridLines(const TokenGrid &grid, const Letter &letter) {
  std::string text;
  eachCell(grid, [&](int64_t position, int64_t, int64_t column) {
    bool newFrame = column % grid.width == 0;
    text += column == 0 ? "" : newFrame ? "    " : " ";
    text += letter(position);
    text += column + 1 == grid.depth * grid.width ? "\n" : "";
  });
  return text;
}

bool sees(const Strand &strand, int64_t n, int64_t q, int64_t k) {
  return evaluate(strand.attend, {.h = strand.h, .q = q, .k = k}, {n, n});
}

char digit(size_t number) {
  return number < 9 ? static_cast<char>('1' + number) : '+';
}

/// Of the p-th of `layers` layers: from dark to light.
Colour layerColour(size_t layer, size_t layers) {
  double share = layers < 2 ? 0 : 0.72 * double(layer) / double(layers - 1);
  return mix(palette::kFull, palette::kEmpty, share);
}

Panel gridPanel(std::string title, const TokenGrid &grid) {
  Panel panel = makePanel(std::move(title), grid.height, grid.depth * grid.width, palette::kEmpty);
  panel.side = std::max<int>(200, 14 * panel.columns);
  panel.frame = grid.depth > 1 ? static_cast<int>(grid.width) : 0;
  return panel;
}

std::optional<size_t> firstLayer(const std::vector<PairSet> &known, int64_t i, int64_t j) {
  for (size_t layer = 0; layer < known.size(); ++layer)
    if (known[layer].at(i, j))
      return layer;
  return std::nullopt;
}

} // namespace

std::string readGrid(const std::string &text, TokenGrid &grid) {
  constexpr IntegerBounds kSizes{1, 4096};
  std::vector<int64_t> sizes;
  for (size_t begin = 0; begin <= text.size();) {
    size_t end = std::min(text.find('x', begin), text.size());
    sizes.push_back(0);
    if (!readInteger(text.substr(begin, end - begin), kSizes, sizes.back()).empty())
      sizes.clear();
    if (sizes.empty())
      break;
    begin = end + 1;
  }
  bool right = sizes.size() == 2 || sizes.size() == 3;
  if (right) {
    grid.width = sizes.back();
    grid.height = sizes[sizes.size() - 2];
    grid.depth = sizes.size() == 3 ? sizes[0] : 1;
    right = grid.tokens() <= kMostReceptive;
  }
  return right ? ""
               : fmt::format("expected HxW or DxHxW, of at most {} tokens, found '{}'",
                             kMostReceptive, text);
}

std::vector<Strand> strandsOf(const LoadedPattern &loaded, const Layer &layer) {
  std::vector<Strand> strands;
  for (const HeadRow &row : headRows(loaded, layer)) {
    const HeadEntry &head = loaded.pattern.heads[row.entry];
    strands.push_back({row.name, head.attend, row.h});
  }
  if (strands.size() != 1)
    return strands;
  std::vector<Expr> parts = disjointParts(strands[0].attend);
  if (parts.size() < 2)
    return strands;
  std::vector<Strand> result;
  for (size_t i = 0; i < parts.size(); ++i)
    result.push_back({fmt::format("{}, part {}", strands[0].name, i + 1), parts[i], strands[0].h});
  return result;
}

std::string gridText(const std::vector<Strand> &strands, const TokenGrid &grid, int64_t query) {
  return gridLines(grid, [&](int64_t position) {
    if (position == query)
      return 'Q';
    char letter = '.';
    for (size_t i = 0; i < strands.size(); ++i)
      if (sees(strands[i], grid.tokens(), query, position))
        letter = letter == '.' ? digit(i) : '*';
    return letter;
  });
}

std::string gridText(const std::vector<PairSet> &known, const TokenGrid &grid, int64_t query) {
  return gridLines(grid, [&](int64_t position) {
    std::optional<size_t> layer = firstLayer(known, query, position);
    return position == query ? 'Q' : layer ? digit(*layer) : '.';
  });
}

std::vector<Panel> gridPanels(const std::vector<Strand> &strands, const TokenGrid &grid,
                              int64_t query) {
  std::vector<Panel> panels;
  for (size_t i = 0; i < strands.size(); ++i) {
    Panel panel = gridPanel(strands[i].name, grid);
    eachCell(grid, [&](int64_t position, int64_t row, int64_t column) {
      if (sees(strands[i], grid.tokens(), query, position))
        panel.at(row, column) = palette::series(i);
      if (position == query)
        panel.at(row, column) = palette::kInk;
    });
    panels.push_back(std::move(panel));
  }
  return panels;
}

std::vector<Panel> gridPanels(const std::vector<PairSet> &known, const TokenGrid &grid,
                              int64_t query) {
  std::vector<Panel> panels;
  for (size_t upTo = 0; upTo < known.size(); ++upTo) {
    Panel panel = gridPanel(fmt::format("after {}", counted(int64_t(upTo) + 1, "layer")), grid);
    eachCell(grid, [&](int64_t position, int64_t row, int64_t column) {
      std::optional<size_t> layer = firstLayer(known, query, position);
      if (layer && *layer <= upTo)
        panel.at(row, column) = layerColour(*layer, known.size());
      if (position == query)
        panel.at(row, column) = palette::kInk;
    });
    panels.push_back(std::move(panel));
  }
  return panels;
}

Panel pairsPanel(const std::vector<Strand> &strands, const Lengths &at) {
  const auto &[n, nq, q0] = at;
  Panel panel = makePanel("", nq, n, palette::kEmpty);
  panel.leftLabel = "query";
  panel.topLabel = "key";
  std::vector<int> seen(size_t(nq * n));
  for (size_t i = 0; i < strands.size(); ++i) {
    Evaluator evaluator(strands[i].attend, strands[i].h, {nq, n});
    for (int64_t q = 0; q < nq; ++q)
      for (int64_t k = 0; k < n; ++k) {
        if (!evaluator.at(q + q0, k))
          continue;
        // Of several colours an even mixture.
        int before = seen[q * n + k]++;
        Colour &cell = panel.at(q, k);
        cell = before ? mix(cell, palette::series(i), 1.0 / (before + 1)) : palette::series(i);
      }
  }
  auto pairs = double(std::ranges::count_if(seen, [](int strands) { return strands > 0; }));
  panel.title = fmt::format("pairs, {:.1f} keys a query", pairs / double(std::max<int64_t>(nq, 1)));
  return panel;
}

Panel knownPanel(const std::vector<PairSet> &known) {
  int64_t n = known.front().size();
  Panel panel = makePanel(fmt::format("known after {}", counted(int64_t(known.size()), "layer")), n,
                          n, palette::kEmpty);
  panel.leftLabel = "position";
  panel.topLabel = "knows";
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j)
      if (std::optional<size_t> layer = firstLayer(known, i, j))
        panel.at(i, j) = layerColour(*layer, known.size());
  return panel;
}

Panel squaresPanel(std::string title, const BlockLayout &layout) {
  Panel panel = makePanel(std::move(title), layout.rows(), layout.columns(), palette::kEmpty);
  for (int64_t row = 0; row < layout.rows(); ++row)
    for (const BlockRun &run : layout.row(row))
      for (int32_t column = run.begin; column < run.end; ++column)
        panel.at(row, column) = run.kind == BlockKind::Full ? palette::kFull : palette::kPartial;
  return panel;
}

Panel orderPanel(std::string title, const Order &order) {
  constexpr int64_t kMost = 160;
  int64_t n = order.size(), size = std::min(n, kMost);
  Panel panel = makePanel(std::move(title), size, size, palette::kEmpty);
  panel.leftLabel = "position";
  panel.topLabel = kPlaceLabel;
  int64_t place = 0;
  for (int64_t tile = 0; tile < order.tileCount(); ++tile)
    for (int64_t position : order.positions(tile)) {
      panel.at(position * size / n, place * size / n) =
          tile % 2 ? palette::kOtherTile : palette::kTile;
      ++place;
    }
  return panel;
}

std::vector<Legend> legendOfTiles() {
  return {{palette::kTile, "a tile of an order"}, {palette::kOtherTile, "the next"}};
}

std::vector<Legend> legendOf(const std::vector<Strand> &strands) {
  std::vector<Legend> legend;
  for (size_t i = 0; i < strands.size(); ++i)
    legend.push_back({palette::series(i), strands[i].name});
  if (strands.size() > 1) // as pairsPanel() mixes them
    legend.push_back({mix(palette::series(0), palette::series(1), 0.5), "several of them"});
  return legend;
}

std::vector<Legend> legendOfLayers(size_t layers) {
  std::vector<Legend> legend;
  for (size_t i = 0; i < layers; ++i)
    legend.push_back({layerColour(i, layers), fmt::format("layer {}", i + 1)});
  return legend;
}

std::vector<Legend> legendOfBlocks() {
  return {{palette::kFull, "full: all pairs attend"},
          {palette::kPartial, "partial: some do"},
          {palette::kEmpty, "empty: not computed"}};
}

} // namespace sparsec::cli
