// sparsec inspect --png: what was found, as pictures.
#include "tools/sparsec/Drawn.h"
#include "tools/sparsec/Inspect.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace sparsec::cli {

namespace {

constexpr Colour kLater = {0, 0, 0}, kBefore = {38, 50, 70}, kLooks = {255, 255, 255};
constexpr Colour kQuery = {232, 131, 58};

/// The grid that tokens fill row by row: of pictures theirs, else by the last table of positions.
Form gridOf(const Config &config) {
  if (std::optional<Form> form = formOf(config))
    return *form;
  const ModelConfig &model = config.model;
  int64_t width = model.positions.empty() ? 1 : model.positions.back().rows;
  auto side = static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(model.length))));
  if (width <= 1 || width >= model.length)
    width = side;
  return {static_cast<int>(width), static_cast<int>((model.length + width - 1) / width), 1};
}

} // namespace

Figure matricesFigure(const std::vector<HeadFound> &heads) {
  constexpr int kSide = 200;
  Figure figure{
      .title = "Attention, block by block",
      .subtitle = fmt::format("{} tokens, blocks of {}: queries down, keys across",
                              heads.front().queries, heads.front().first.block),
      .columns = {},
      .legend = {{palette::kEmpty, "nothing"}, {palette::kFull, "all of a query's weight"}}};
  for (const HeadFound &each : heads) {
    auto column =
        std::ranges::find(figure.columns, fmt::format("head {}", each.head), &FigureColumn::title);
    if (column == figure.columns.end())
      column = figure.columns.insert(column, {fmt::format("head {}", each.head), {}});
    const BlockSums &sums = each.first;
    Panel panel = makePanel(fmt::format("layer {}, {}", each.layer, each.entry), sums.rows,
                            sums.rows, palette::kEmpty);
    panel.side = kSide;
    for (int64_t row = 0; row < sums.rows; ++row)
      for (int64_t key = 0; key < sums.rows; ++key)
        panel.at(row, key) = // weak ones would not be seen
            mix(palette::kEmpty, palette::kFull,
                std::clamp(std::sqrt(sums.share(row, key, each.queries)), 0.0, 1.0));
    column->rows.push_back({std::move(panel)});
  }
  return figure;
}

Figure queryFigure(const Config &config, std::span<const uint8_t> tokens,
                   const std::vector<float> &weights, int64_t query, const std::string &title) {
  Form grid = gridOf(config);
  bool isPicture = formOf(config).has_value();
  int64_t places = int64_t(grid.width) * grid.height, at = query / grid.channels;
  std::vector<double> sums(static_cast<size_t>(places));
  for (size_t k = 0; k < weights.size(); ++k)
    sums[k / static_cast<size_t>(grid.channels)] += static_cast<double>(weights[k]);
  double most = std::max(1e-12, std::ranges::max(sums));
  Panel looks = makePanel("white: where it looks", grid.height, grid.width, kLater);
  Panel input = makePanel("what it reads", grid.height, grid.width, kLater);
  for (int64_t place = 0; place < places; ++place) {
    int64_t row = place / grid.width, column = place % grid.width;
    if (place <= at)
      looks.at(row, column) =
          mix(kBefore, kLooks, std::sqrt(sums[static_cast<size_t>(place)] / most));
    auto first = static_cast<size_t>(place * grid.channels);
    if (first + static_cast<size_t>(grid.channels) <= tokens.size())
      input.at(row, column) = grid.channels == 3
                                  ? Colour{tokens[first], tokens[first + 1], tokens[first + 2]}
                                  : Colour{tokens[first], tokens[first], tokens[first]};
  }
  looks.at(at / grid.width, at % grid.width) = kQuery;
  Figure figure{.title = title,
                .subtitle = fmt::format("query {} of a grid of {} x {}{}", query, grid.height,
                                        grid.width, grid.channels > 1 ? " x 3" : ""),
                .columns = {{"attention", {{std::move(looks)}}}},
                .legend = {{kQuery, "query"}, {kLater, "later, which it cannot see"}}};
  if (isPicture)
    figure.columns.insert(figure.columns.begin(), {"input", {{std::move(input)}}});
  return figure;
}

} // namespace sparsec::cli
