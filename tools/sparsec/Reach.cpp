// sparsec reach PATTERN: can every position know every earlier one after some layers?
#include "layout/analysis/Reach.h"
#include "tools/sparsec/Command.h"
#include "tools/sparsec/LayerHeads.h"
#include "tools/sparsec/Progress.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace sparsec::cli {
namespace {

struct ReachOptions {
  PatternFlags pattern;
  std::optional<int64_t> layers;
  bool smallest = false;
  bool noResidual = false;
  bool require = false;

  /// That are looked at: with --smallest at most.
  int64_t most() const { return layers.value_or(smallest ? kMostLayers : 2); }
  static constexpr int64_t kMostLayers = 64;
};

nlohmann::ordered_json json(const Pattern &pattern, const ReachRequest &request, const Reach &found,
                            const std::vector<LayerHeads> &layers) {
  bool smallest = request.untilComplete;
  auto rows = nlohmann::ordered_json::array();
  for (size_t i = 0; i < found.withoutKeys.size(); ++i)
    rows.push_back({{"heads", layers[i].names}, {"positions_without_keys", found.withoutKeys[i]}});
  nlohmann::ordered_json first = nullptr;
  if (found.first)
    first = {{"from", found.first->from}, {"to", found.first->to}};
  return {{"pattern", pattern.name},
          {"n", request.n},
          {"layers", rows},
          {"residual", request.residual == ReachRequest::Residual::With},
          {"smallest", smallest && found.complete()
                           ? nlohmann::ordered_json(found.withoutKeys.size())
                           : nlohmann::ordered_json(nullptr)},
          {"complete", found.complete()},
          {"pairs", found.pairs},
          {"unreachable", found.unreachable},
          {"fraction_unreachable", found.fraction()},
          {"first", first}};
}

std::string text(const Reach &found, const std::vector<LayerHeads> &layers, const Style &style) {
  Table table({{"layer", Table::Right}, {"heads"}, {"positions without keys", Table::Right}});
  for (size_t i = 0; i < found.withoutKeys.size(); ++i) {
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

/// With a line that says how far it is.
Result<Reach> follow(const Session &session, ReachRequest &request) {
  Progress progress(session, "following positions", request.n * std::ssize(request.layers));
  request.progress = [&](int64_t positions) { progress.step(positions); };
  Result<Reach> found = reach(request);
  request.progress = {};
  return found;
}

Result<Answer> answer(const Session &session, const ReachOptions &options) {
  Result<LoadedPattern> loaded = load(options.pattern);
  if (!loaded)
    return loaded.error();
  ReachRequest request = {.n = options.pattern.n.value_or(4096),
                          .residual = options.noResidual ? ReachRequest::Residual::Without
                                                         : ReachRequest::Residual::With,
                          .untilComplete = options.smallest,
                          .threads = session.threads};
  std::vector<LayerHeads> layers;
  for (int64_t i = 0; i < options.most(); ++i) {
    layers.push_back(headsOf(*loaded, i));
    request.layers.push_back(layers.back().heads);
  }
  Result<Reach> found = follow(session, request);
  if (!found)
    return found.error();
  auto taken = static_cast<int64_t>(found->withoutKeys.size());
  if (session.json)
    fmt::print("{}\n", json(loaded->pattern, request, *found, layers).dump(2));
  else
    fmt::print("{}, n = {}, {}, {} the residual path\n\n{}",
               session.style.bold(loaded->pattern.name), grouped(request.n),
               counted(taken, "layer"), options.noResidual ? "without" : "with",
               text(*found, layers, session.style));
  if (options.smallest && found->complete())
    session.report(fmt::format("smallest number of layers: {}\n", taken));
  return found->complete() || !options.require ? Answer::Yes : Answer::No;
}

} // namespace

Action declareReach(Options &options) {
  auto asked = std::make_shared<ReachOptions>();
  declarePatternFlags(options, asked->pattern);
  options.heading("Reach");
  options.integer("--layers", "layers that information may take (2, or 64 with --smallest)",
                  asked->layers, {1, 1024});
  options.flag("--smallest", "the least number of layers, up to that many, that are enough",
               asked->smallest);
  options.flag("--no-residual", "a layer's input is not added to it", asked->noResidual);
  options.flag("--require", "exit 1 when the answer is no", asked->require);
  return [asked](Session &session) { return answer(session, *asked); };
}

} // namespace sparsec::cli
