// sparsec reach PATTERN: can every position know every earlier one after some layers?
#include "layout/analysis/Reach.h"
#include "tools/sparsec/Command.h"
#include "tools/sparsec/LayerHeads.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace sparsec::cli {
namespace {

struct ReachOptions {
  PatternFlags pattern;
  int64_t layers = 2;
  bool noResidual = false;
  bool require = false;
};

nlohmann::ordered_json json(const Pattern &pattern, const ReachRequest &request, const Reach &found,
                            const std::vector<LayerHeads> &layers) {
  auto rows = nlohmann::ordered_json::array();
  for (size_t i = 0; i < layers.size(); ++i)
    rows.push_back({{"heads", layers[i].names}, {"positions_without_keys", found.withoutKeys[i]}});
  nlohmann::ordered_json first = nullptr;
  if (found.first)
    first = {{"from", found.first->from}, {"to", found.first->to}};
  return {{"pattern", pattern.name},
          {"n", request.n},
          {"layers", rows},
          {"residual", request.residual == ReachRequest::Residual::With},
          {"complete", found.complete()},
          {"pairs", found.pairs},
          {"unreachable", found.unreachable},
          {"fraction_unreachable", found.fraction()},
          {"first", first}};
}

std::string text(const Reach &found, const std::vector<LayerHeads> &layers, const Style &style) {
  Table table({{"layer", Table::Right}, {"heads"}, {"positions without keys", Table::Right}});
  for (size_t i = 0; i < layers.size(); ++i) {
    std::string names;
    for (const std::string &name : layers[i].names)
      names += (names.empty() ? "" : ", ") + name;
    table.add({fmt::format("{}", i + 1), names, grouped(found.withoutKeys[i])});
  }
  std::string text = table.render(style) + "\n";
  if (found.complete())
    return text + style.good("yes") + ": every position reaches every earlier one\n";
  return text + fmt::format("{}: {} of {} pairs of a position and an earlier one ({}) have no "
                            "path\nfirst: position {} does not reach position {}\n",
                            style.bad("no"), grouped(found.unreachable), grouped(found.pairs),
                            percent(found.fraction()), grouped(found.first->from),
                            grouped(found.first->to));
}

Result<Answer> answer(const Session &session, const ReachOptions &options) {
  Result<LoadedPattern> loaded = load(options.pattern);
  if (!loaded)
    return loaded.error();
  ReachRequest request = {.n = options.pattern.n.value_or(4096),
                          .residual = options.noResidual ? ReachRequest::Residual::Without
                                                         : ReachRequest::Residual::With};
  std::vector<LayerHeads> layers;
  for (int64_t i = 0; i < options.layers; ++i) {
    layers.push_back(headsOf(*loaded, i));
    request.layers.push_back(layers.back().heads);
  }
  Result<Reach> found = reach(request);
  if (!found)
    return found.error();
  if (session.json)
    fmt::print("{}\n", json(loaded->pattern, request, *found, layers).dump(2));
  else
    fmt::print("{}, n = {}, {}, {} the residual path\n\n{}",
               session.style.bold(loaded->pattern.name), grouped(request.n),
               counted(options.layers, "layer"), options.noResidual ? "without" : "with",
               text(*found, layers, session.style));
  return found->complete() || !options.require ? Answer::Yes : Answer::No;
}

} // namespace

Action declareReach(Options &options) {
  auto asked = std::make_shared<ReachOptions>();
  declarePatternFlags(options, asked->pattern);
  options.heading("Reach");
  options.integer("--layers", "layers that information may take (2)", asked->layers, {1, 1024});
  options.flag("--no-residual", "a layer's input is not added to it", asked->noResidual);
  options.flag("--require", "exit 1 when the answer is no", asked->require);
  return [asked](Session &session) { return answer(session, *asked); };
}

} // namespace sparsec::cli
