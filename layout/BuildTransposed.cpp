#include "layout/BuildTransposed.h"

#include "layout/Looker.h"

#include <algorithm>

namespace sparsec {

namespace {

/// The row with the full blocks of short tiles of keys as partial ones.
std::vector<BlockRun> withShortKeys(std::span<const BlockRun> row,
                                    const std::vector<int64_t> &shortTiles) {
  std::vector<BlockRun> result;
  auto append = [&](int32_t begin, int32_t end, BlockKind kind) {
    if (begin == end)
      return;
    if (!result.empty() && result.back().end == begin && result.back().kind == kind)
      result.back().end = end;
    else
      result.push_back({begin, end, kind});
  };
  for (const BlockRun &run : row) {
    int32_t begin = run.begin;
    if (run.kind == BlockKind::Full)
      for (auto at = std::lower_bound(shortTiles.begin(), shortTiles.end(), run.begin);
           at != shortTiles.end() && *at < run.end; ++at) {
        auto tile = static_cast<int32_t>(*at);
        append(begin, tile, BlockKind::Full);
        append(tile, tile + 1, BlockKind::Partial);
        begin = tile + 1;
      }
    append(begin, run.end, run.kind);
  }
  return result;
}

} // namespace

Result<BlockLayout> TransposedBuilder::build(const Expr &attend, const LayoutRequest &request,
                                             const Order &queries, const Order &keys) {
  Result<BlockLayout> byKeys =
      BlockLayout::build(exchanged(attend, request.q0), exchanged(request), keys, queries);
  if (!byKeys)
    return byKeys.error();
  BlockLayout found = byKeys->transpose(), layout;
  layout.asked = request;
  layout.asked.work = nullptr;
  layout.columnCount = found.columnCount;
  layout.rowBegin.reserve(found.rowBegin.size());
  Reader reader(attend, request.h, request.sizes(), nullptr);
  BlockAxes axes = BlockAxes::of(attend, request, queries, keys);
  std::vector<int64_t> shortRows = queries.shortTiles();
  auto nextShort = shortRows.begin();
  for (int64_t row = 0; row < found.rows(); ++row) {
    std::vector<BlockRun> runs;
    if (nextShort != shortRows.end() && *nextShort == row) {
      ++nextShort;
      Strip strip;
      strip.first = row;
      strip.rows.resize(1);
      strip.mostRuns = strip.mostUnits = std::numeric_limits<int64_t>::max();
      Looker(reader, axes, strip).visit({row, row + 1, 0, found.columns()});
      if (request.work)
        request.work->add(strip.work);
      runs = std::move(strip.rows[0]);
    } else {
      runs = withShortKeys(found.row(row), axes.shortKeyTiles);
    }
    for (const BlockRun &run : runs)
      (run.kind == BlockKind::Full ? layout.total.full : layout.total.partial) +=
          run.end - run.begin;
    layout.runs.insert(layout.runs.end(), runs.begin(), runs.end());
    layout.rowBegin.push_back(static_cast<int64_t>(layout.runs.size()));
  }
  layout.total.live = layout.total.full + layout.total.partial;
  return layout;
}

} // namespace sparsec
