#include "layout/HeadTables.h"

#include <fmt/format.h>

#include <limits>

namespace sparsec {

namespace {

/// Adds one head's tables behind those before it.
void append(BlockTables &all, const BlockTables &head) {
  int32_t base = all.offsets.back();
  for (size_t i = 1; i < head.offsets.size(); ++i)
    all.offsets.push_back(base + head.offsets[i]);
  all.columns.insert(all.columns.end(), head.columns.begin(), head.columns.end());
  all.rowOrder.insert(all.rowOrder.end(), head.rowOrder.begin(), head.rowOrder.end());
}

} // namespace

Result<HeadTables> tablesOfHeads(const Expr &attend, const LayoutRequest &request,
                                 const Heads &heads) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  assert(heads.count >= 1);
  bool differ = mentions(attend, Op::Head);
  int64_t built = differ ? heads.count : 1;

  HeadTables result;
  result.tables.offsets = {0};
  for (int64_t y = 0; y < built; ++y) {
    LayoutRequest ofHead = request;
    ofHead.h = heads.first + y * heads.step;
    Result<BlockLayout> layout = BlockLayout::build(attend, ofHead);
    if (!layout)
      return layout.error();
    BlockCounts counts = layout->counts();
    result.counts.live += counts.live;
    result.counts.full += counts.full;
    result.counts.partial += counts.partial;
    if (result.counts.live > kMost || built * layout->rows() > (kMost - 1) / 2)
      return machineError(
          fmt::format("the tables of {} heads hold 32-bit offsets, up to {} blocks; "
                      "after head {} there are {} live blocks, in {} rows a head",
                      built, kMost, ofHead.h, result.counts.live, layout->rows()));
    Result<BlockTables> tables = layout->tables();
    if (!tables)
      return tables.error();
    append(result.tables, *tables);
    if (differ)
      result.rowsPerHead = layout->rows();
  }
  if (!differ) {
    result.counts.live *= heads.count;
    result.counts.full *= heads.count;
    result.counts.partial *= heads.count;
  }
  return result;
}

} // namespace sparsec
