// sparsec show --png: the figure.
#include "layout/analysis/Picture.h"
#include "tools/sparsec/Show.h"

#include <fmt/core.h>

namespace sparsec::cli {
namespace {

constexpr int64_t kMostBlocks = 512; ///< a side: more are not drawn

/// Squares of pairs, where there are too many pairs.
Result<Panel> squaresOf(const Expr &attend, int64_t h, const Lengths &at) {
  int64_t scale = (std::max(at.n, at.nq) + kMostPairs - 1) / kMostPairs;
  Block square = {static_cast<int>(scale), static_cast<int>(scale)};
  auto layout = BlockLayout::build(attend, at.request(h, square));
  if (!layout)
    return layout.error();
  Panel panel = squaresPanel(fmt::format("pairs, {0} x {0} a square", scale), *layout);
  panel.leftLabel = "query";
  panel.topLabel = "key";
  return panel;
}

Result<Panel> pairsOf(const std::vector<Strand> &strands, const Lengths &at) {
  if (std::max(at.n, at.nq) <= kMostPairs)
    return pairsPanel(strands, at);
  return squaresOf(strands[0].attend, strands[0].h, at);
}

bool natural(const OrderSpec &order) {
  return std::holds_alternative<NaturalOrder>(order);
}

/// The blocks of each part, and the orders that are not natural.
Result<std::vector<std::vector<Panel>>> scheduleOf(const Drawn &drawn) {
  std::vector<Panel> blocks, orders;
  const Block &block = drawn.way.block;
  const std::vector<Part> &parts = drawn.way.parts;
  for (size_t i = 0; i < parts.size(); ++i) {
    const BlockLayout &layout = drawn.layouts[i];
    std::string name = parts.size() > 1 ? fmt::format("part {}, blocks", i + 1) : "blocks";
    std::string title = fmt::format("{} of {} x {}", name, block.q, block.k);
    if (layout.rows() <= kMostBlocks && layout.columns() <= kMostBlocks) {
      blocks.push_back(squaresPanel(std::move(title), layout));
      blocks.back().leftLabel = "block of queries";
      blocks.back().topLabel = "block of keys";
    } else {
      blocks.push_back(makePanel(std::move(title), 0, 0, palette::kEmpty));
      blocks.back().note =
          fmt::format("{} x {}: too many to draw", layout.rows(), layout.columns());
    }
    std::vector<std::pair<std::string, OrderSpec>> axes = {{"queries", parts[i].queries},
                                                           {"keys", parts[i].keys}};
    if (parts[i].queries == parts[i].keys && block.q == block.k)
      axes = {{"both axes", parts[i].keys}};
    for (const auto &[axis, spec] : axes) {
      if (natural(spec))
        continue;
      const LayoutRequest &request = layout.request();
      bool ofKeys = axis != "queries";
      auto order = Order::make(spec, ofKeys ? request.nk : request.nq,
                               ofKeys ? request.blockK : request.blockQ);
      if (!order)
        return order.error();
      Panel panel = orderPanel(fmt::format("{}: {}", axis, print(spec)), *order);
      panel.side = 480;
      orders.push_back(std::move(panel));
    }
  }
  for (Panel &panel : blocks)
    panel.side = blocks.size() > 1 ? 256 : 512;
  return std::vector<std::vector<Panel>>{std::move(blocks), std::move(orders)};
}

/// What a query can know after some layers, and below what all can.
Result<FigureColumn> knownColumn(const ShowOptions &options, const LoadedPattern &loaded) {
  const TokenGrid &grid = *options.grid;
  auto known = receptive(reachRequest(loaded, grid.tokens(), *options.layers, options.residual()));
  if (!known)
    return known.error();
  FigureColumn column{loaded.pattern.name, {gridPanels(*known, grid, options.asked())}};
  if (grid.tokens() <= kMostPairs)
    column.rows.push_back({knownPanel(*known)});
  return column;
}

/// What a query sees in a layer, and below all pairs.
Result<FigureColumn> seenColumn(const ShowOptions &options, const LoadedPattern &loaded,
                                const Layer &layer, const std::vector<Strand> &strands) {
  const TokenGrid &grid = *options.grid;
  auto pairs = pairsOf(strands, {.n = grid.tokens(), .nq = grid.tokens()});
  if (!pairs)
    return pairs.error();
  pairs->title = grid.tokens() <= kMostPairs ? "" : pairs->title;
  FigureColumn column{loaded.pattern.name, {gridPanels(strands, grid, options.asked())}};
  if (loaded.layers.size() > 1)
    column.title += ", " + layer.title();
  column.rows.push_back({std::move(*pairs)});
  return column;
}

/// Two views of what a query sees and the whole below, of each pattern: the paper's figure.
Result<Figure> gridFigure(const ShowOptions &options, const std::vector<LoadedPattern> &patterns) {
  const TokenGrid &grid = *options.grid;
  Figure figure;
  size_t colours = 0;
  for (const LoadedPattern &loaded : patterns) {
    if (options.layers) {
      auto column = knownColumn(options, loaded);
      if (!column)
        return column.error();
      figure.columns.push_back(std::move(*column));
      continue;
    }
    for (const Layer &layer : loaded.layers) {
      std::vector<Strand> strands = strandsOf(loaded, layer);
      auto column = seenColumn(options, loaded, layer, strands);
      if (!column)
        return column.error();
      figure.columns.push_back(std::move(*column));
      if (strands.size() > colours) {
        figure.legend = legendOf(strands);
        colours = strands.size();
      }
    }
  }
  if (figure.columns.size() > 1)
    for (size_t i = 0; i < colours; ++i)
      figure.legend[i].text = fmt::format("head or part {}", i + 1);
  if (options.layers)
    figure.legend = legendOfLayers(static_cast<size_t>(*options.layers));
  figure.legend.insert(figure.legend.begin(), {palette::kInk, "query"});
  figure.title = options.layers ? "What a query can know" : "What a query sees";
  std::string frames = grid.depth > 1 ? fmt::format("{} x ", grid.depth) : "";
  figure.subtitle =
      fmt::format("{}{} x {} tokens, query {}", frames, grid.height, grid.width, options.asked());
  return figure;
}

/// Pairs, blocks and orders of a head.
Result<FigureColumn> headColumn(const LoadedPattern &loaded, const Drawn &drawn, int64_t n) {
  const HeadEntry &head = loaded.pattern.heads[drawn.row.entry];
  auto pairs = pairsOf({{drawn.row.name, head.attend, drawn.row.h}}, loaded.at(n));
  if (!pairs)
    return pairs.error();
  auto schedule = scheduleOf(drawn);
  if (!schedule)
    return schedule.error();
  FigureColumn column{drawn.row.name, {{std::move(*pairs)}}};
  for (std::vector<Panel> &row : *schedule)
    column.rows.push_back(std::move(row));
  return column;
}

/// Whether one of a column's panels is of an order.
bool hasOrder(const FigureColumn &column) {
  for (const std::vector<Panel> &row : column.rows)
    for (const Panel &panel : row)
      if (panel.topLabel == kPlaceLabel)
        return true;
  return false;
}

Result<Figure> headsFigure(const ShowOptions &options, const std::vector<LoadedPattern> &patterns,
                           const Target &target, Ledger &ledger) {
  Figure figure{.title = "", .subtitle = "", .columns = {}, .legend = legendOfBlocks()};
  int64_t n = 0;
  for (const LoadedPattern &loaded : patterns) {
    n = options.n(loaded);
    auto layers = drawnHeads(options, loaded, target, ledger);
    if (!layers)
      return layers.error();
    for (size_t layer = 0; layer < layers->size(); ++layer)
      for (const Drawn &drawn : (*layers)[layer]) {
        auto column = headColumn(loaded, drawn, n);
        if (!column)
          return column.error();
        if (layers->size() > 1)
          column->title = fmt::format("{}: {}", loaded.layers[layer].title(), column->title);
        if (patterns.size() > 1)
          column->title = fmt::format("{}: {}", loaded.pattern.name, column->title);
        figure.columns.push_back(std::move(*column));
      }
    if (options.layers) {
      auto known = receptive(reachRequest(loaded, n, *options.layers, options.residual()));
      if (!known)
        return known.error();
      figure.columns.push_back(
          {patterns.size() > 1 ? fmt::format("{}: together", loaded.pattern.name) : "together",
           {{knownPanel(*known)}}});
      for (Legend &each : legendOfLayers(known->size()))
        figure.legend.push_back(std::move(each));
    }
    figure.title += (figure.title.empty() ? "" : ", ") + loaded.pattern.name;
  }
  if (figure.columns.size() == 1 && figure.columns[0].title == figure.title)
    figure.columns[0].title.clear(); // said once
  if (std::ranges::any_of(figure.columns, hasOrder))
    for (Legend &each : legendOfTiles())
      figure.legend.push_back(std::move(each));
  figure.subtitle = fmt::format("{} tokens, as {} would be computed on {}", grouped(n),
                                patterns.size() > 1 ? "they" : "it", target.name);
  return figure;
}

} // namespace

Result<void> writeFigure(const ShowOptions &options, const std::vector<LoadedPattern> &patterns,
                         const Target &target, Ledger &ledger) {
  auto figure =
      options.grid ? gridFigure(options, patterns) : headsFigure(options, patterns, target, ledger);
  if (!figure)
    return figure.error();
  return write(*figure, options.png);
}

} // namespace sparsec::cli
