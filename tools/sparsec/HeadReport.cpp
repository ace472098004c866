#include "tools/sparsec/HeadReport.h"

#include "layout/Split.h"

#include <fmt/core.h>

namespace sparsec::cli {
namespace {

/// Live blocks of causal attention with nq = n.
int64_t causalBlocks(int64_t n, const Block &block) {
  int64_t live = 0;
  for (int64_t first = 0; first < n; first += block.q) {
    int64_t last = std::min(first + block.q, n) - 1;
    live += last / block.k + 1;
  }
  return live;
}

std::string headList(const std::vector<int64_t> &heads) {
  if (heads.empty())
    return "-";
  std::string text = fmt::format("{}", heads[0]);
  for (size_t i = 1; i < heads.size(); ++i)
    if (i < 4 || heads.size() == 5)
      text += fmt::format(" {}", heads[i]);
  if (heads.size() > 5)
    text += fmt::format(" .. {}", heads.back());
  return text;
}

std::string shown(double value) {
  return value < 99.95 ? fmt::format("{:.1f}", value) : grouped(static_cast<int64_t>(value + 0.5));
}

} // namespace

namespace {

/// Pairs and blocks of an entry as it would be computed, part by part.
Result<Statistics> statisticsOf(const Plan &plan, const HeadRow &row,
                                const LayoutRequest &request) {
  auto whole = statistics(plan.loaded.pattern.heads[row.entry].attend, request);
  if (!whole)
    return whole.error();
  std::vector<Part> parts;
  for (const KernelRequest &kernel : plan.partsOf(row.entry))
    parts.push_back({kernel.attend, kernel.queryOrder, kernel.keyOrder});
  auto layouts = layoutsOf(parts, request);
  if (!layouts)
    return layouts.error();
  whole->blocks = {};
  for (const BlockLayout &layout : *layouts) {
    whole->blocks.live += layout.counts().live;
    whole->blocks.full += layout.counts().full;
    whole->blocks.partial += layout.counts().partial;
  }
  whole->computed = whole->blocks.live * request.blockQ * request.blockK;
  return whole;
}

} // namespace

Result<std::vector<HeadReport>> reportHeads(const Plan &plan, int64_t n) {
  std::vector<HeadReport> reports;
  for (HeadRow &row : headRows(plan.loaded)) {
    Block block = plan.kernelOf(row.entry).request.block;
    LayoutRequest request{
        .nq = n, .nk = n, .q0 = 0, .h = row.h, .blockQ = block.q, .blockK = block.k};
    auto counted = statisticsOf(plan, row, request);
    if (!counted)
      return counted.error();
    double dense = double(causalBlocks(n, block));
    std::vector<Part> parts = plan.headOf(row.entry).ways.front().parts;
    reports.push_back({.row = std::move(row),
                       .block = block,
                       .orders = ordersText(parts),
                       .statistics = *counted,
                       .saved = 1 - double(counted->blocks.live) / dense});
  }
  return reports;
}

void warnOfEmpty(const std::vector<HeadReport> &heads, int64_t n) {
  for (const HeadReport &each : heads)
    if (each.statistics.elements == 0)
      fmt::print(stderr, "warning: head '{}' is empty at n = {}: its rows give 0\n", each.row.name,
                 n);
}

std::string table(const std::vector<HeadReport> &heads, const Style &style) {
  Table table({{"head"},
               {"of the model"},
               {"block", Table::Right},
               {"order"},
               {"density", Table::Right},
               {"keys/query", Table::Right},
               {"live", Table::Right},
               {"full", Table::Right},
               {"partial", Table::Right},
               {"saved", Table::Right}});
  for (const HeadReport &each : heads) {
    const BlockCounts &blocks = each.statistics.blocks;
    table.add(
        {each.row.name, headList(each.row.heads), fmt::format("{}x{}", each.block.q, each.block.k),
         each.orders, percent(each.statistics.density), shown(each.statistics.keysPerQuery),
         grouped(blocks.live), grouped(blocks.full), grouped(blocks.partial), percent(each.saved)});
  }
  return table.render(style);
}

nlohmann::ordered_json json(const std::vector<HeadReport> &heads) {
  auto rows = nlohmann::ordered_json::array();
  for (const HeadReport &each : heads) {
    const Statistics &s = each.statistics;
    rows.push_back(
        {{"name", each.row.name},
         {"heads", each.row.heads},
         {"elements", s.elements},
         {"keys_per_query", s.keysPerQuery},
         {"density", s.density},
         {"density_causal", s.densityCausal},
         {"order", each.orders},
         {"block", {{"q", each.block.q}, {"k", each.block.k}}},
         {"blocks",
          {{"live", s.blocks.live}, {"full", s.blocks.full}, {"partial", s.blocks.partial}}},
         {"saved_over_causal", each.saved}});
  }
  return rows;
}

} // namespace sparsec::cli
