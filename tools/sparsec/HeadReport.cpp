#include "tools/sparsec/HeadReport.h"

#include <algorithm>
#include <fmt/core.h>
#include <map>
#include <numeric>
#include <set>

namespace sparsec::cli {
namespace {

constexpr const char *kOneByOne = "decode: every position once, each by launches of its own\n";

/// Pairs of the blocks of dense causal attention.
double causalPairs(const Lengths &at, const Block &block) {
  auto seen = [&](int64_t row) {
    int64_t keys = std::clamp<int64_t>(at.q0 + std::min((row + 1) * block.q, at.nq), 0, at.n);
    return (keys + block.k - 1) / block.k;
  };
  // Between the rows that see no key and those that see all, `every` rows further is `more` blocks.
  int64_t rows = (at.nq + block.q - 1) / block.q, every = block.k / std::gcd(block.q, block.k);
  int64_t more = block.q * every / block.k;
  int64_t rise = std::clamp<int64_t>(-at.q0 / block.q, 0, rows);
  int64_t top = std::clamp<int64_t>((std::min(at.n - at.q0, at.nq)) / block.q, rise, rows);
  double live = double(std::max<int64_t>(rows - top - 1, 0)) * double(seen(rows));
  if (top < rows)
    live += double(seen(top));
  for (int64_t row = rise; row < std::min(rise + every, top); ++row) {
    int64_t times = (top - row - 1) / every + 1;
    live +=
        double(times) * double(seen(row)) + double(more) * double(times) * double(times - 1) / 2;
  }
  return live * block.q * block.k;
}

/// Counts ways; what layers have in common once.
class Counter {
public:
  Counter(const Plan &plan, const Lengths &at) : plan(plan), lengths(at) {}

  /// The way of an entry's pass at head h of the model, with what all copies of it cost.
  Result<Candidate> count(int entry, const PlannedPass &pass, int64_t h, int64_t copies) {
    bool apart = mentions(plan.loaded.pattern.heads[entry].attend, Op::Head);
    auto [at, isNew] = known.try_emplace({entry, &pass, apart ? h : 0, copies});
    if (!isNew)
      return at->second;
    at->second = pass.ways.front();
    Lengths all = pass.lengths(lengths);
    auto counted = sparsec::count(at->second, all.request(h), pass.shapeOf(copies),
                                  pass.costTarget(plan.headOf(entry).target, all), *plan.ledger);
    if (!counted)
      return located(counted.error(), plan.loaded.pattern.heads[entry]);
    return at->second;
  }

private:
  const Plan &plan;
  Lengths lengths;
  std::map<std::tuple<int, const PlannedPass *, int64_t, int64_t>, Candidate> known;
};

Result<std::vector<HeadReport>> reportHeads(const Plan &plan, const Layer &layer, const Lengths &at,
                                            Counter &counter) {
  std::vector<HeadReport> reports;
  std::vector<HeadRow> rows = headRows(plan.loaded, layer);
  std::map<int, int64_t> sharing;
  for (const HeadRow &row : rows)
    ++sharing[row.entry];
  for (HeadRow &row : rows) {
    // Heads that differ are rows of their own, and yet one launch: each has its share of it.
    int64_t sharers = sharing[row.entry];
    auto alike = std::max<int64_t>(1, static_cast<int64_t>(row.heads.size()));
    const std::vector<PlannedPass> &passes = plan.headOf(row.entry).passes;
    HeadReport &report = reports.emplace_back(
        HeadReport{.row = row, .at = passes.front().lengths(at), .passes = {}});
    for (const PlannedPass &pass : passes) {
      auto way = counter.count(row.entry, pass, row.h, alike * sharers);
      if (!way)
        return way.error();
      for (double Cost::*share :
           {&Cost::seconds, &Cost::denseSeconds, &Cost::bytes, &Cost::operations})
        way->cost.*share /= double(sharers);
      double causal = causalPairs(pass.lengths(at), way->block);
      double saved = causal > 0 ? 1 - double(way->cost.computed) / causal : 0;
      report.passes.push_back({pass.pass, std::move(*way), saved});
    }
  }
  return reports;
}

} // namespace

Result<std::vector<LayerReport>> reportLayers(const Plan &plan, int64_t n) {
  std::vector<LayerReport> reports;
  Lengths at = plan.loaded.at(n);
  Counter counter(plan, at);
  for (const Layer &layer : plan.loaded.layers) {
    auto heads = reportHeads(plan, layer, at, counter);
    if (!heads)
      return heads.error();
    reports.push_back({layer, std::move(*heads)});
  }
  return reports;
}

std::string duration(double seconds) {
  double us = seconds * 1e6;
  if (us < 1e3)
    return fmt::format("{:.1f} us", us);
  return us < 1e6 ? fmt::format("{:.2f} ms", us / 1e3) : fmt::format("{:.2f} s", us / 1e6);
}

void warnOfEmpty(const std::vector<LayerReport> &layers) {
  std::set<std::string> said;
  for (const LayerReport &layer : layers)
    for (const HeadReport &each : layer.heads)
      if (each.elements() == 0 && said.insert(each.row.name).second)
        fmt::print(stderr, "warning: head '{}' is empty at {}: its rows give 0\n", each.row.name,
                   each.at.text());
}

/// Of the row in its first pass; of the pass alone in others.
static std::vector<std::string> cellsOf(const HeadReport &each, size_t i) {
  const Block &block = each.passes[i].way.block;
  const std::vector<Part> &parts = each.passes[i].way.parts;
  const Cost &cost = each.passes[i].way.cost;
  double keys = each.keysPerQuery();
  std::string about = cost.exact ? "" : "~ ";
  std::vector<std::string> cells = {each.row.name,
                                    each.row.heads.empty() ? "-" : abbreviated(each.row.heads),
                                    each.passes[i].pass->title(),
                                    ordersText(parts),
                                    fmt::format("{}x{}", block.q, block.k),
                                    percent(each.density()),
                                    keys < 99.95 ? fmt::format("{:.1f}", keys)
                                                 : grouped(std::llround(keys)),
                                    about + grouped(cost.blocks.live),
                                    about + grouped(cost.blocks.full),
                                    about + grouped(cost.blocks.partial),
                                    percent(each.passes[i].saved),
                                    percent(cost.useful()),
                                    duration(cost.seconds)};
  if (i > 0)
    for (size_t ofRow : {0, 1, 5, 6})
      cells[ofRow].clear();
  return cells;
}

std::string table(const std::vector<LayerReport> &layers, const Style &style) {
  constexpr size_t kPassColumn = 2;
  bool several = layers.size() > 1, passes = false;
  for (const LayerReport &layer : layers)
    for (const HeadReport &each : layer.heads)
      passes |= each.passes.size() > 1;
  std::vector<Table::Column> columns;
  for (const char *heading : {"head", "of the model", "pass", "order"})
    columns.push_back({heading});
  for (const char *heading : {"block", "density", "keys/query", "live", "full", "partial", "saved",
                              "useful", "predicted"})
    columns.push_back({heading, Table::Right});
  if (!passes)
    columns.erase(columns.begin() + kPassColumn);
  if (several)
    columns.insert(columns.begin(), {"layer"});
  Table table(columns);
  for (const LayerReport &layer : layers)
    for (const HeadReport &each : layer.heads)
      for (size_t i = 0; i < each.passes.size(); ++i) {
        std::vector<std::string> cells = cellsOf(each, i);
        if (!passes)
          cells.erase(cells.begin() + kPassColumn);
        if (several)
          cells.insert(cells.begin(), i ? "" : abbreviated(layer.layer.indices));
        table.add(std::move(cells));
      }
  std::string text = table.render(style);
  bool exact = true, oneByOne = false;
  for (const LayerReport &layer : layers)
    for (const HeadReport &each : layer.heads)
      for (const PassReport &pass : each.passes) {
        exact = exact && pass.way.cost.exact;
        oneByOne = oneByOne || pass.pass->work == PassWork::Positions;
      }
  return text + (exact ? "" : kEstimated) + (oneByOne ? kOneByOne : "");
}

static nlohmann::ordered_json json(const PassReport &pass) {
  const Block &block = pass.way.block;
  const std::vector<Part> &parts = pass.way.parts;
  const Cost &cost = pass.way.cost;
  return {
      {"order", ordersText(parts)},
      {"block", {{"q", block.q}, {"k", block.k}}},
      {"blocks",
       {{"live", cost.blocks.live}, {"full", cost.blocks.full}, {"partial", cost.blocks.partial}}},
      {"saved_over_causal", pass.saved},
      {"exact", cost.exact},
      {"parts", parts.size()},
      {"useful", cost.useful()},
      {"predicted_ms", cost.seconds * 1e3}};
}

/// What is said of the first operation there is stands in the row; of others, under their names.
static nlohmann::ordered_json json(const std::vector<HeadReport> &heads) {
  auto rows = nlohmann::ordered_json::array();
  for (const HeadReport &each : heads) {
    auto causal = double(std::max<int64_t>(1, causalElements(each.at.request())));
    nlohmann::ordered_json row = {
        {"name", each.row.name},       {"heads", each.row.heads},
        {"elements", each.elements()}, {"keys_per_query", each.keysPerQuery()},
        {"density", each.density()},   {"density_causal", double(each.elements()) / causal}};
    for (const PassReport &pass : each.passes) {
      if (pass.pass->operation == patternPasses().front().operation) {
        row.update(json(pass));
        continue;
      }
      nlohmann::ordered_json &operation = row[std::string(pass.pass->operation)];
      if (operation.is_null())
        operation = {{"predicted_ms", 0.0}, {"passes", nlohmann::ordered_json::array()}};
      nlohmann::ordered_json one = {{"pass", pass.pass->name}};
      one.update(json(pass));
      operation["predicted_ms"] =
          operation["predicted_ms"].get<double>() + one["predicted_ms"].get<double>();
      operation["passes"].push_back(std::move(one));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

void addLayers(nlohmann::ordered_json &report, const std::vector<Layer> &layers,
               const std::vector<nlohmann::ordered_json> &each) {
  if (layers.size() == 1) {
    report.update(each[0]);
    return;
  }
  auto sections = nlohmann::ordered_json::array();
  for (size_t i = 0; i < layers.size(); ++i) {
    nlohmann::ordered_json section = {{"indices", layers[i].indices}};
    section.update(each[i]);
    sections.push_back(std::move(section));
  }
  report["layers"] = sections;
}

void addLayers(nlohmann::ordered_json &report, const std::vector<LayerReport> &reports) {
  std::vector<Layer> layers;
  std::vector<nlohmann::ordered_json> heads;
  for (const LayerReport &each : reports) {
    layers.push_back(each.layer);
    heads.push_back({{"heads", json(each.heads)}});
  }
  addLayers(report, layers, heads);
}

} // namespace sparsec::cli
