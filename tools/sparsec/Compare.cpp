// sparsec compare A B...: what patterns cost and what they reach, side by side.
#include "tools/sparsec/CompareRuns.h"
#include "tools/sparsec/HeadReport.h"
#include "tools/sparsec/LayerHeads.h"
#include "tools/sparsec/ManyPatterns.h"
#include "tools/sparsec/Progress.h"

#include <fmt/core.h>

namespace sparsec::cli {
namespace {

struct CompareOptions {
  ManyPatterns patterns;
  std::string target = "sm_80";
  int64_t layers = 2;
  bool noReach = false;
  std::string png; ///< of runs
};

/// One pattern, or one distinct layer of it, all heads of the model together.
struct Row {
  std::string pattern;
  std::vector<int64_t> layers; ///< of a pattern with several distinct ones
  int64_t elements = 0, computed = 0, live = 0, heads = 0;
  double seconds = 0;
  bool exact = true;          ///< else what is counted is estimated
  std::string orders;         ///< each once
  std::optional<Reach> reach; ///< none where so many positions are refused
  std::string noReach;        ///< then why

  double density(const Lengths &at) const {
    return heads ? double(elements) / double(heads) / double(at.nq) / double(at.n) : 0;
  }
  double useful() const { return computed ? double(elements) / double(computed) : 1; }
};

Row rowOf(const LayerReport &layer) {
  Row row;
  for (const HeadReport &each : layer.heads) {
    auto copies = static_cast<int64_t>(each.row.heads.size());
    const Cost &cost = each.passes[0].way.cost;
    row.heads += copies;
    row.elements += copies * cost.elements;
    row.computed += copies * cost.computed;
    row.live += copies * cost.blocks.live;
    row.seconds += copies ? cost.seconds : 0;
    row.exact = row.exact && cost.exact;
    std::string orders = ordersText(each.passes[0].way.parts);
    if (row.orders.find(orders) == std::string::npos)
      row.orders += (row.orders.empty() ? "" : "; ") + orders;
  }
  return row;
}

/// A row for each distinct layer; what they reach, they reach together.
Result<std::vector<Row>> rowsOf(const Session &session, const CompareOptions &options,
                                LoadedPattern loaded, const Target &target, int64_t heads,
                                int64_t n, Ledger &ledger) {
  loaded.heads = static_cast<int>(heads);
  auto plan = makePlan(loaded, options.patterns.flags, {target}, n, kForPictures, ledger);
  if (!plan)
    return plan.error();
  auto layers = reportLayers(*plan, n);
  if (!layers)
    return layers.error();
  Result<Reach> found = inputError("");
  if (!options.noReach && !loaded.at(n).square()) {
    found = inputError("reach is of as many queries as keys: --nq and --q0 say otherwise");
  } else if (!options.noReach) {
    ReachRequest request = reachRequest(loaded, n, options.layers, ReachRequest::Residual::With);
    request.threads = session.threads;
    found = reach(request);
  }
  std::vector<Row> rows;
  for (const LayerReport &layer : *layers) {
    Row &row = rows.emplace_back(rowOf(layer));
    row.pattern = loaded.pattern.name;
    if (layers->size() > 1)
      row.layers = layer.layer.indices;
    if (found)
      row.reach = *found;
    else if (!options.noReach)
      row.noReach = found.error().message;
  }
  return rows;
}

nlohmann::ordered_json json(const Row &row, const Lengths &at, double dense) {
  nlohmann::ordered_json first = nullptr;
  nlohmann::ordered_json complete = nullptr, fraction = nullptr;
  if (row.reach) {
    complete = row.reach->complete();
    fraction = row.reach->fraction();
    if (const auto &pair = row.reach->first)
      first = {{"from", pair->from}, {"to", pair->to}};
  }
  nlohmann::ordered_json out = {{"pattern", row.pattern}};
  if (!row.layers.empty())
    out["layers"] = row.layers;
  out.update({{"heads", row.heads},
              {"density", row.density(at)},
              {"elements", row.elements},
              {"live_blocks", row.live},
              {"exact", row.exact},
              {"useful", row.useful()},
              {"orders", row.orders},
              {"predicted_ms", row.seconds * 1e3},
              {"predicted_speedup_over_dense", row.seconds > 0 ? dense / row.seconds : 0},
              {"reach_complete", complete},
              {"reach_fraction_unreachable", fraction},
              {"reach_first", first}});
  return out;
}

std::string reachText(const Row &row) {
  if (!row.reach)
    return "-";
  return row.reach->complete() ? "all" : percent(1 - row.reach->fraction());
}

std::string text(const std::vector<Row> &rows, const CompareOptions &options, const Lengths &at,
                 double dense, const Style &style) {
  std::vector<Table::Column> columns = {{"pattern"},
                                        {"density", Table::Right},
                                        {"live", Table::Right},
                                        {"useful", Table::Right},
                                        {fmt::format("reach in {}", options.layers), Table::Right},
                                        {"predicted", Table::Right},
                                        {"over dense", Table::Right},
                                        {"orders"}};
  bool layers = std::ranges::any_of(rows, [](const Row &row) { return !row.layers.empty(); });
  if (layers)
    columns.insert(columns.begin() + 1, {"layer"});
  Table table(columns);
  for (const Row &row : rows) {
    std::vector<std::string> cells = {
        row.pattern,
        percent(row.density(at)),
        (row.exact ? "" : "~ ") + grouped(row.live),
        percent(row.useful()),
        reachText(row),
        duration(row.seconds),
        fmt::format("{:.1f}x", row.seconds > 0 ? dense / row.seconds : 0),
        row.orders};
    if (layers)
      cells.insert(cells.begin() + 1, row.layers.empty() ? "all" : abbreviated(row.layers));
    table.add(std::move(cells));
  }
  return table.render(style);
}

Result<Answer> compare(const Session &session, const CompareOptions &options) {
  const std::vector<std::string> &given = options.patterns.patterns;
  if (std::ranges::any_of(given, isRun))
    return compareRuns(session, given, options.png);
  if (!options.png.empty())
    return inputError("--png: draws the curves of runs; 'sparsec show --png' draws patterns");
  const PatternFlags &flags = options.patterns.flags;
  auto target = findTarget(options.target);
  if (!target)
    return target.error();
  auto patterns = loadAll(options.patterns);
  if (!patterns)
    return patterns.error();
  int64_t n = kWeighedAt, heads = flags.heads.value_or(1);
  for (const LoadedPattern &loaded : *patterns) { // every entry of every pattern is used
    heads = std::max<int64_t>(heads, loaded.heads);
    n = loaded.n.value_or(n);
  }
  std::vector<Row> rows;
  Ledger ledger(session.threads);
  std::optional<Progress> progress(std::in_place, session, "planning", std::ssize(*patterns));
  for (LoadedPattern &loaded : *patterns) {
    auto more = rowsOf(session, options, std::move(loaded), *target, heads, n, ledger);
    if (!more)
      return more.error();
    std::ranges::move(*more, std::back_inserter(rows));
    progress->step();
  }
  LoadedPattern all;
  all.heads = static_cast<int>(heads);
  all.nq = flags.nq;
  all.q0 = flags.q0;
  Lengths at = all.at(n);
  all.pattern.heads.push_back({.name = "dense", .attend = make(Op::True, {})});
  all.layers = distinctLayers(all.pattern);
  auto plan = makePlan(all, flags, {*target}, n, kForPictures, ledger);
  if (!plan)
    return plan.error();
  auto dense = reportLayers(*plan, n);
  if (!dense)
    return dense.error();
  progress.reset();
  double denseSeconds = dense->front().heads.front().passes[0].way.cost.seconds;
  if (session.json) {
    auto list = nlohmann::ordered_json::array();
    for (const Row &row : rows)
      list.push_back(json(row, at, denseSeconds));
    fmt::print("{}\n", nlohmann::ordered_json{{"n", n},
                                              {"nq", at.nq},
                                              {"q0", at.q0},
                                              {"target", target->name},
                                              {"heads", heads},
                                              {"layers", options.layers},
                                              {"dense_predicted_ms", denseSeconds * 1e3},
                                              {"patterns", list}}
                           .dump(2));
    return Answer::Yes;
  }
  fmt::print("{}, {}, head dim {}, {} on {}\n\n{}", at.text(), counted(heads, "head"),
             flags.headDim, name(flags.dtype.value_or(defaultDType(*target))), target->name,
             text(rows, options, at, denseSeconds, session.style));
  session.report(fmt::format("\nreach: earlier positions that a position can know after {} with "
                             "the residual path; predicted by the cost model, dense: {}\n",
                             counted(options.layers, "layer"), duration(denseSeconds)));
  if (std::ranges::any_of(rows, [](const Row &row) { return !row.exact; }))
    session.report(kEstimated);
  for (const Row &row : rows)
    if (!row.noReach.empty())
      session.report(fmt::format("no reach of {}: {}\n", row.pattern, row.noReach));
  return Answer::Yes;
}

} // namespace

Action declareCompare(Options &options) {
  auto asked = std::make_shared<CompareOptions>();
  declareManyPatterns(options, asked->patterns);
  declareLayerFlag(options, asked->patterns.flags);
  options.heading("Compare");
  options.integer("--layers", "steps of reach (2)", asked->layers, {1, 64});
  options.flag("--no-reach", "leave out what positions can know", asked->noReach);
  options.choice("--target", "TARGET", listed(targetNames()) + " (sm_80)", asked->target,
                 targetNames());
  options.value("--png", "FILE", "of runs: their curves", [asked](const std::string &text) {
    asked->png = text;
    return std::string();
  });
  return [asked](Session &session) { return compare(session, *asked); };
}

} // namespace sparsec::cli
