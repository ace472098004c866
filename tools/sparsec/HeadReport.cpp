#include "tools/sparsec/HeadReport.h"

#include <fmt/core.h>

namespace sparsec::cli {
namespace {

/// Pairs of the blocks of dense causal attention.
double causalPairs(int64_t n, const Block &block) {
  int64_t live = 0;
  for (int64_t first = 0; first < n; first += block.q)
    live += (std::min(first + block.q, n) - 1) / block.k + 1;
  return double(live) * block.q * block.k;
}

std::string headList(const std::vector<int64_t> &heads) {
  constexpr size_t kShown = 4;
  std::string text = heads.empty() ? "-" : "";
  for (size_t i = 0; i < heads.size() && i < kShown; ++i)
    text += fmt::format("{}{}", i ? " " : "", heads[i]);
  if (heads.size() > kShown)
    text += fmt::format("{}{}", heads.size() > kShown + 1 ? " .. " : " ", heads.back());
  return text;
}

} // namespace

Result<std::vector<HeadReport>> reportHeads(const Plan &plan, int64_t n) {
  std::vector<HeadReport> reports;
  std::vector<HeadRow> rows = headRows(plan.loaded);
  for (HeadRow &row : rows) {
    // Heads that differ are rows of their own, and yet one launch: each has its share of it.
    auto sharing = std::count_if(rows.begin(), rows.end(),
                                 [&](const HeadRow &each) { return each.entry == row.entry; });
    auto alike = std::max<int64_t>(1, static_cast<int64_t>(row.heads.size()));
    CostShape shape = plan.shapeOf(row.entry, alike * sharing);
    Candidate way = plan.headOf(row.entry).ways.front();
    auto counted =
        count(way, {.nq = n, .nk = n, .q0 = 0, .h = row.h}, shape,
              CostTarget::of(plan.kernelOf(row.entry).request.target.name, shape.elementBytes));
    if (!counted)
      return located(counted.error(), plan.loaded.pattern.heads[row.entry]);
    for (double Cost::*share :
         {&Cost::seconds, &Cost::denseSeconds, &Cost::bytes, &Cost::operations})
      way.cost.*share /= double(sharing);
    double saved = 1 - double(way.cost.computed) / causalPairs(n, way.block);
    reports.push_back({std::move(row), std::move(way), n, saved});
  }
  return reports;
}

std::string duration(double seconds) {
  double us = seconds * 1e6;
  if (us < 1e3)
    return fmt::format("{:.1f} us", us);
  return us < 1e6 ? fmt::format("{:.2f} ms", us / 1e3) : fmt::format("{:.2f} s", us / 1e6);
}

void warnOfEmpty(const std::vector<HeadReport> &heads) {
  for (const HeadReport &each : heads)
    if (each.way.cost.elements == 0)
      fmt::print(stderr, "warning: head '{}' is empty at n = {}: its rows give 0\n", each.row.name,
                 each.n);
}

std::string table(const std::vector<HeadReport> &heads, const Style &style) {
  std::vector<Table::Column> columns = {{"head"}, {"of the model"}, {"order"}};
  for (const char *heading : {"block", "density", "keys/query", "live", "full", "partial", "saved",
                              "useful", "predicted"})
    columns.push_back({heading, Table::Right});
  Table table(columns);
  for (const HeadReport &each : heads) {
    const auto &[block, parts, cost] = each.way;
    double keys = each.keysPerQuery();
    table.add({each.row.name, headList(each.row.heads), ordersText(parts),
               fmt::format("{}x{}", block.q, block.k), percent(each.density()),
               keys < 99.95 ? fmt::format("{:.1f}", keys) : grouped(std::llround(keys)),
               grouped(cost.blocks.live), grouped(cost.blocks.full), grouped(cost.blocks.partial),
               percent(each.saved), percent(cost.useful()), duration(cost.seconds)});
  }
  return table.render(style);
}

nlohmann::ordered_json json(const std::vector<HeadReport> &heads) {
  auto rows = nlohmann::ordered_json::array();
  for (const HeadReport &each : heads) {
    const auto &[block, parts, cost] = each.way;
    auto causal = double(causalElements({.nq = each.n, .nk = each.n}));
    rows.push_back({{"name", each.row.name},
                    {"heads", each.row.heads},
                    {"elements", cost.elements},
                    {"keys_per_query", each.keysPerQuery()},
                    {"density", each.density()},
                    {"density_causal", double(cost.elements) / causal},
                    {"order", ordersText(parts)},
                    {"block", {{"q", block.q}, {"k", block.k}}},
                    {"blocks",
                     {{"live", cost.blocks.live},
                      {"full", cost.blocks.full},
                      {"partial", cost.blocks.partial}}},
                    {"saved_over_causal", each.saved},
                    {"parts", parts.size()},
                    {"useful", cost.useful()},
                    {"predicted_ms", cost.seconds * 1e3}});
  }
  return rows;
}

} // namespace sparsec::cli
