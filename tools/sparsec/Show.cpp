// sparsec show PATTERN...: each head as a picture of its pairs and one of its blocks, or as counts;
// what a query sees on a grid; what it can know after some layers.
#include "tools/sparsec/Show.h"

#include "layout/analysis/Picture.h"
#include "tools/sparsec/HeadReport.h"
#include "tools/sparsec/Progress.h"

#include <fmt/core.h>
#include <unistd.h>

namespace sparsec::cli {
namespace {

constexpr int64_t kColumns = 32;   ///< of a picture
constexpr int64_t kMostKnown = 64; ///< positions of a picture of what they know

using Json = nlohmann::ordered_json;

/// A pattern's pictures, for people and for programs.
struct Shown {
  std::string text;
  Json json;
};

/// The positions of the first tiles: "0 128 256 | 1 129 257 | ..."
std::string firstPlaces(const OrderSpec &spec, int64_t n, int tile) {
  constexpr size_t kWide = 60;
  auto order = Order::make(spec, n, tile);
  std::string text;
  for (int64_t i = 0; order && i < order->tileCount(); ++i) {
    text += i ? " | " : "";
    for (int64_t position : order->positions(i)) {
      text += fmt::format("{}{}", text.empty() || text.ends_with(' ') ? "" : " ", position);
      if (text.size() > kWide)
        return text + " ...";
    }
  }
  return text;
}

std::string ordersOf(const Drawn &drawn, const Lengths &at) {
  std::string text;
  for (const Part &part : drawn.way.parts)
    for (auto [axis, spec, tile, n] :
         {std::tuple("queries", part.queries, drawn.way.block.q, at.nq),
          std::tuple("keys", part.keys, drawn.way.block.k, at.n)})
      if (!std::holds_alternative<NaturalOrder>(spec))
        text += fmt::format("{} by {}: {}\n", axis, print(spec), firstPlaces(spec, n, tile));
  return text;
}

/// The pictures of the layouts, or nothing when one has more than kColumns blocks a side.
std::string blocksOf(const Drawn &drawn) {
  std::string text;
  for (const BlockLayout &layout : drawn.layouts) {
    if (layout.rows() > kColumns || layout.columns() > kColumns)
      return "";
    text += (text.empty() ? "" : "\n") + layout.print();
  }
  return text;
}

/// What is shown of each layer, under its title where there are several.
Shown together(const LoadedPattern &loaded, Json json, std::vector<Shown> each,
               const Style &style) {
  Shown shown{"", std::move(json)};
  std::vector<Json> sections;
  for (size_t i = 0; i < each.size(); ++i) {
    if (each.size() > 1)
      shown.text += fmt::format("\n{}\n", style.bold(loaded.layers[i].title()));
    shown.text += each[i].text;
    sections.push_back(std::move(each[i].json));
  }
  addLayers(shown.json, loaded.layers, sections);
  return shown;
}

/// The heads of a layer.
Result<Shown> showLayer(const ShowOptions &options, const LoadedPattern &loaded,
                        const std::vector<Drawn> &heads, const Style &style) {
  Lengths at = loaded.at(options.n(loaded));
  Shown shown{"", {{"heads", Json::array()}}};
  for (const Drawn &drawn : heads) {
    const Block &block = drawn.way.block;
    auto pairs =
        draw(loaded.pattern.heads[drawn.row.entry].attend, at.request(drawn.row.h), kColumns);
    if (!pairs)
      return pairs.error();
    std::string blocks = blocksOf(drawn), order = ordersText(drawn.way.parts);
    shown.json["heads"].push_back({{"name", drawn.row.name},
                                   {"scale", pairs->scale},
                                   {"pairs", pairs->text},
                                   {"block", {{"q", block.q}, {"k", block.k}}},
                                   {"order", order},
                                   {"blocks", blocks}});
    std::string scale = pairs->scale == 1
                            ? "  rows q, columns k; # attends"
                            : fmt::format("  a character is {0} x {0} pairs; # all attend, + some, "
                                          ". none",
                                          pairs->scale);
    shown.text +=
        "\n" + style.bold(drawn.row.name) + style.dim(scale) + "\n" + style.picture(pairs->text);
    if (blocks.empty())
      continue;
    std::string orders = ordersOf(drawn, at);
    std::string in = orders.empty() ? "" : fmt::format(" in order {}", order);
    shown.text += fmt::format("\n{}\n{}{}",
                              style.dim(fmt::format("blocks of {}x{}{}; F full, P partial, . empty",
                                                    block.q, block.k, in)),
                              style.picture(blocks), style.dim(orders));
  }
  return shown;
}

Result<Shown> showHeads(const ShowOptions &options, const LoadedPattern &loaded,
                        const Target &target, const Style &style, Ledger &ledger) {
  auto layers = drawnHeads(options, loaded, target, ledger);
  if (!layers)
    return layers.error();
  std::vector<Shown> each;
  for (const std::vector<Drawn> &heads : *layers) {
    auto shown = showLayer(options, loaded, heads, style);
    if (!shown)
      return shown;
    each.push_back(std::move(*shown));
  }
  return together(loaded, {{"pattern", loaded.pattern.name}, {"n", options.n(loaded)}},
                  std::move(each), style);
}

/// Seen keys of the query, by strand of a layer.
Shown showSeen(const ShowOptions &options, const std::vector<Strand> &strands, const Style &style) {
  const TokenGrid &grid = *options.grid;
  Json seen = Json::array();
  std::string names;
  for (size_t i = 0; i < strands.size(); ++i) {
    Json positions = Json::array();
    Evaluator evaluator(strands[i].attend, strands[i].h, {grid.tokens(), grid.tokens()});
    for (int64_t k = 0; k < grid.tokens(); ++k)
      if (evaluator.at(options.asked(), k))
        positions.push_back(k);
    seen.push_back({{"name", strands[i].name}, {"keys", positions}});
    names += fmt::format("; {} {}", i + 1, strands[i].name);
  }
  return {"\n" + style.picture(gridText(strands, grid, options.asked())) +
              style.dim("Q the query" + names + (strands.size() > 1 ? "; * several" : "")) + "\n",
          {{"seen", seen}}};
}

/// Seen keys of the query by strand, or the first layer after which it knows each.
Result<Shown> showGrid(const ShowOptions &options, const LoadedPattern &loaded,
                       const Style &style) {
  const TokenGrid &grid = *options.grid;
  int64_t query = options.asked();
  Shown shown{"",
              {{"pattern", loaded.pattern.name},
               {"grid", Json::array({grid.depth, grid.height, grid.width})},
               {"query", query}}};
  if (options.layers) {
    auto known =
        receptive(reachRequest(loaded, grid.tokens(), *options.layers, options.residual()));
    if (!known)
      return known.error();
    Json after = Json::array();
    for (const PairSet &layer : *known) {
      Json positions = Json::array();
      for (int64_t k = 0; k < grid.tokens(); ++k)
        if (layer.at(query, k))
          positions.push_back(k);
      after.push_back(positions);
    }
    shown.json["known_after"] = after;
    shown.text = "\n" + style.picture(gridText(*known, grid, query));
    shown.text +=
        style.dim("Q the query; 1, 2, ... the first layer after which it knows a place") + "\n";
    return shown;
  }
  std::vector<Shown> each;
  for (const Layer &layer : loaded.layers)
    each.push_back(showSeen(options, strandsOf(loaded, layer), style));
  return together(loaded, std::move(shown.json), std::move(each), style);
}

/// A digit for each pair: the layer after which the row's position knows the column's.
Result<Shown> showKnown(const ShowOptions &options, const LoadedPattern &loaded,
                        const Style &style) {
  int64_t n = options.n(loaded);
  if (n > kMostKnown)
    return inputError(fmt::format("expected at most {} positions for a picture of what they know "
                                  "in letters, found {}; --png draws {}",
                                  kMostKnown, n, kMostPairs));
  auto known = receptive(reachRequest(loaded, n, *options.layers, options.residual()));
  if (!known)
    return known.error();
  std::string text;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) {
      char letter = '.';
      for (size_t layer = known->size(); layer-- > 0;)
        if ((*known)[layer].at(i, j))
          letter = layer < 9 ? static_cast<char>('1' + layer) : '+';
      text += letter;
      text += j + 1 < n ? ' ' : '\n';
    }
  return Shown{"\n" + style.picture(text) +
                   style.dim("rows know columns: 1, 2, ... the first layer after which") + "\n",
               {{"pattern", loaded.pattern.name}, {"n", n}, {"known", text}}};
}

Result<Shown> showStats(const ShowOptions &options, const LoadedPattern &loaded,
                        const Target &target, const Style &style, Ledger &ledger) {
  int64_t n = options.n(loaded);
  Lengths at = loaded.at(n);
  auto plan = makePlan(loaded, options.flags(), {target}, n,
                       {.operations = patternOperations(), .anyBlock = true}, ledger);
  if (!plan)
    return plan.error();
  auto layers = reportLayers(*plan, n);
  if (!layers)
    return layers.error();
  warnOfEmpty(*layers);
  Shown shown{"\n" + table(*layers, style),
              {{"pattern", loaded.pattern.name}, {"n", n}, {"nq", at.nq}, {"q0", at.q0}}};
  addLayers(shown.json, *layers);
  return shown;
}

Result<Shown> showOne(const ShowOptions &options, const LoadedPattern &loaded, const Target &target,
                      const Style &style, Ledger &ledger) {
  if (options.stats)
    return showStats(options, loaded, target, style, ledger);
  if (options.grid)
    return showGrid(options, loaded, style);
  if (options.layers)
    return showKnown(options, loaded, style);
  return showHeads(options, loaded, target, style, ledger);
}

Result<Answer> show(const Session &session, const ShowOptions &options) {
  auto target = findTarget(options.target);
  if (!target)
    return target.error();
  auto patterns = loadAll(options.patterns);
  if (!patterns)
    return patterns.error();
  if (!options.npy.empty()) {
    if (auto written = writeMask(options, *patterns); !written)
      return written.error();
    session.report(fmt::format("wrote {}\n", options.npy));
    if (session.json)
      fmt::print("{}\n", Json{{"npy", options.npy}}.dump(2));
    return Answer::Yes;
  }
  Ledger ledger(session.threads);
  if (!options.png.empty()) {
    if (auto written = writeFigure(options, *patterns, *target, ledger); !written)
      return written.error();
    session.report(fmt::format("wrote {}\n", options.png));
    if (session.json)
      fmt::print("{}\n", Json{{"png", options.png}}.dump(2));
    return Answer::Yes;
  }
  Style style = options.colour == "always"  ? Style::inColour()
                : options.colour == "never" ? Style()
                                            : session.style;
  Json all = Json::array();
  std::string text;
  std::optional<Progress> progress(std::in_place, session, "planning");
  for (const LoadedPattern &loaded : *patterns) {
    auto shown = showOne(options, loaded, *target, style, ledger);
    if (!shown)
      return shown.error();
    all.push_back(shown->json);
    std::string more =
        options.stats
            ? fmt::format(", {}", name(options.flags().dtype.value_or(defaultDType(*target))))
            : "";
    text += fmt::format("{}{}, {}{}\n{}", text.empty() ? "" : "\n", style.bold(loaded.pattern.name),
                        loaded.at(options.n(loaded)).text(), more, shown->text);
  }
  progress.reset();
  if (session.json) {
    fmt::print("{}\n", (all.size() == 1 ? all[0] : Json{{"patterns", all}}).dump(2));
    return Answer::Yes;
  }
  fmt::print("{}", text);
  if (options.stats)
    session.report(fmt::format("\nsaved: of the block products of dense causal attention; "
                               "predicted: on {}, by the cost model\n",
                               options.target));
  return Answer::Yes;
}

Result<void> check(const ShowOptions &options) {
  const char *other = options.grid           ? "--grid"
                      : options.layers       ? "--layers"
                      : !options.png.empty() ? "--png"
                      : !options.npy.empty() ? "--npy"
                                             : nullptr;
  if (!options.npy.empty() && (options.grid || options.layers || !options.png.empty()))
    return inputError(fmt::format("--npy: writes pairs alone, without {}", options.grid ? "--grid"
                                                                           : options.layers
                                                                               ? "--layers"
                                                                               : "--png"));
  if (options.stats && other)
    return inputError(fmt::format("--stats: counts, where {} draws: give one of them", other));
  if (!options.png.empty() && options.colour != "auto")
    return inputError("--color: is of text; a PNG has its own colours");
  if (!options.png.empty() && !isFigureName(options.png))
    return inputError(
        fmt::format("--png: expected a name that ends in .png or .svg, found '{}'", options.png));
  bool ofTwoLengths = options.flags().nq || options.flags().q0;
  if (ofTwoLengths && (options.grid || options.layers))
    return inputError(fmt::format("{}: {} shows positions that are queries and keys both",
                                  options.flags().nq ? "--nq" : "--q0",
                                  options.grid ? "--grid" : "--layers"));
  if (options.query && !options.grid)
    return inputError("--query: asks what one query sees on a grid: needs --grid");
  if (options.grid && options.flags().n && *options.flags().n != options.grid->tokens())
    return inputError(fmt::format("-n: the grid has {} tokens", options.grid->tokens()));
  if (options.grid && options.asked() >= options.grid->tokens())
    return inputError(fmt::format("--query: expected one of the grid's tokens, 0 .. {}, found {}",
                                  options.grid->tokens() - 1, options.asked()));
  if (options.noResidual && !options.layers)
    return inputError("--no-residual: says how --layers count: needs --layers");
  if (options.layers && options.flags().layer)
    return inputError("--layer: --layers shows what all layers let a position know");
  return {};
}

} // namespace

int64_t ShowOptions::n(const LoadedPattern &loaded) const {
  if (grid)
    return grid->tokens();
  return loaded.n.value_or(layers && png.empty() && !stats ? 32 : 512);
}

int64_t ShowOptions::asked() const {
  // Two thirds down and across, in the last frame: with something before it and after.
  int64_t frame = (grid->depth - 1) * grid->height;
  return query.value_or((frame + grid->height * 2 / 3) * grid->width + grid->width * 2 / 3);
}

Result<std::vector<std::vector<Drawn>>> drawnHeads(const ShowOptions &options,
                                                   const LoadedPattern &loaded,
                                                   const Target &target, Ledger &ledger) {
  int64_t n = options.n(loaded);
  auto plan = makePlan(loaded, options.flags(), {target}, n, kForPictures, ledger);
  if (!plan)
    return plan.error();
  std::vector<std::vector<Drawn>> result;
  for (const Layer &layer : loaded.layers) {
    std::vector<Drawn> &heads = result.emplace_back();
    for (HeadRow &row : headRows(loaded, layer)) {
      Candidate way = plan->headOf(row.entry).passes[0].ways.front();
      LayoutRequest request = loaded.at(n).request(row.h, way.block);
      request.threads = ledger.threadsAsked();
      auto layouts = layoutsOf(way.parts, request);
      if (!layouts)
        return layouts.error();
      heads.push_back({std::move(row), std::move(way), std::move(*layouts)});
    }
  }
  return result;
}

Action declareShow(Options &options) {
  auto asked = std::make_shared<ShowOptions>();
  declareManyPatterns(options, asked->patterns);
  declareLayerFlag(options, asked->patterns.flags);
  options.heading("Show");
  options.flag("--stats", "count elements and blocks instead", asked->stats);
  options.value("--grid", "HxW|DxHxW", "positions as a picture or a film of that size",
                [asked](const std::string &text) { return readGrid(text, asked->grid.emplace()); });
  options.integer("--query", "whose keys to show on the grid (two thirds in)", asked->query,
                  {0, kMostReceptive - 1});
  options.integer("--layers", "show what can be known after so many layers", asked->layers,
                  {1, 64});
  options.flag("--no-residual", "without the residual path", asked->noResidual);
  options.value("--png", "FILE", "draw to a PNG, or an SVG (.svg), instead",
                [asked](const std::string &text) {
                  asked->png = text;
                  return text.empty() ? "expected the name of a file, found ''" : "";
                });
  options.value("--npy", "FILE", "write the pairs of every head as a NumPy array instead",
                [asked](const std::string &text) {
                  asked->npy = text;
                  return text.empty() ? "expected the name of a file, found ''" : "";
                });
  options.choice("--color", "WHEN", "auto, always or never (auto)", asked->colour,
                 {"auto", "always", "never"});
  options.choice("--target", "TARGET", listed(targetNames()) + " (sm_80)", asked->target,
                 targetNames());
  return [asked](Session &session) -> Result<Answer> {
    if (auto right = check(*asked); !right)
      return right.error();
    return show(session, *asked);
  };
}

} // namespace sparsec::cli
