#include "layout/Looker.h"

#include "layout/Specialise.h"

#include <algorithm>

namespace sparsec {

namespace {

/// Lists of progressions longer than this (products of their lengths) are cut before they are
/// classified.
constexpr size_t kMostRectangles = 64;
/// To list a progression, in Work::units.
constexpr int64_t kUnitsOfRange = 10;

} // namespace

void Strip::append(int64_t row, BlockRun run) {
  if (run.begin == run.end)
    return;
  work.count(&Work::runs, 1);
  std::vector<BlockRun> &all = rows[row - first];
  if (!all.empty() && all.back().end == run.begin && all.back().kind == run.kind) {
    all.back().end = run.end;
    return;
  }
  all.push_back(run);
  constexpr int64_t kTold = 256;
  if (++runs % kTold == 0 && together)
    together->runs.fetch_add(kTold, std::memory_order_relaxed);
}

std::vector<Range> BlockAxes::queryPositions(int64_t first, int64_t last) const {
  std::vector<Range> ranges = queries.rows(first, last);
  for (Range &range : ranges)
    range.first += request.q0;
  return ranges;
}

void BlockAxes::fillFull(const BlockRectangle &blocks, Strip &strip) const {
  auto begin = std::lower_bound(shortKeyTiles.begin(), shortKeyTiles.end(), blocks.columnBegin);
  auto end = std::lower_bound(begin, shortKeyTiles.end(), blocks.columnEnd);
  for (int64_t row = blocks.rowBegin; row < blocks.rowEnd; ++row) {
    if (queries.tokens(row) == 0)
      continue;
    auto column = static_cast<int32_t>(blocks.columnBegin);
    for (auto it = begin; it != end; ++it) {
      auto shortTile = static_cast<int32_t>(*it);
      strip.append(row, {column, shortTile, BlockKind::Full});
      if (keys.tokens(shortTile) > 0)
        strip.append(row, {shortTile, shortTile + 1, BlockKind::Partial});
      column = shortTile + 1;
    }
    strip.append(row, {column, static_cast<int32_t>(blocks.columnEnd), BlockKind::Full});
  }
}

void Looker::visit(const BlockRectangle &blocks) {
  if (blocks.columnBegin < blocks.columnEnd)
    visit(blocks, axes.queryPositions(blocks.rowBegin, blocks.rowEnd),
          axes.keys.rows(blocks.columnBegin, blocks.columnEnd));
}

/// Decides blocks whose pairs are q x k. Left columns come before right ones, so that each row's
/// runs arrive in order.
void Looker::visit(const BlockRectangle &blocks, const Ranges &q, const Ranges &k) {
  if (strip.stopped())
    return;
  strip.work.units += kUnitsOfRange * std::ssize(q) + kUnitsOfRange * std::ssize(k);
  int64_t rows = blocks.rowEnd - blocks.rowBegin, columns = blocks.columnEnd - blocks.columnBegin;
  bool single = rows == 1 && columns == 1;
  switch (single ? decider.decide(q, k) : classifyAll(q, k)) {
  case Coverage::Empty:
    return;
  case Coverage::Full:
    return axes.fillFull(blocks, strip);
  case Coverage::Mixed:
    break;
  }
  if (single) {
    auto column = static_cast<int32_t>(blocks.columnBegin);
    strip.append(blocks.rowBegin, {column, column + 1, BlockKind::Partial});
    return;
  }
  BlockRectangle first = blocks, second = blocks;
  // What rows draw is known one row at a time: their common columns have no answer.
  bool rowsFirst = rows > 1 && axes.cuts.drawsByQuery();
  bool columnsFirst = columns > 1 && axes.cuts.drawsByKey();
  if (!rowsFirst && (columnsFirst || columns >= rows)) {
    auto left = halves(Range{blocks.columnBegin, 1, columns}).first.count;
    first.columnEnd = second.columnBegin = blocks.columnBegin + left;
    visit(first, q, axes.keys.rows(first.columnBegin, first.columnEnd));
    visit(second, q, axes.keys.rows(second.columnBegin, second.columnEnd));
  } else {
    auto upper = halves(Range{blocks.rowBegin, 1, rows}).first.count;
    first.rowEnd = second.rowBegin = blocks.rowBegin + upper;
    visit(first, axes.queryPositions(first.rowBegin, first.rowEnd), k);
    visit(second, axes.queryPositions(second.rowBegin, second.rowEnd), k);
  }
}

/// One answer for all pairs of q x k, when classify() has it. Stops at the first that differs.
Coverage Looker::classifyAll(const Ranges &q, const Ranges &k) const {
  if (q.empty() || k.empty())
    return Coverage::Empty;
  if (Coverage around = classifyAround(reader, q, k); around != Coverage::Mixed)
    return around;
  if (q.size() * k.size() > kMostRectangles)
    return Coverage::Mixed;
  std::optional<Coverage> common;
  for (const Range &queryRange : q)
    for (const Range &keyRange : k) {
      Coverage coverage = reader.classify({queryRange, keyRange});
      if (coverage == Coverage::Mixed || (common && *common != coverage))
        return Coverage::Mixed;
      common = coverage;
    }
  return *common;
}

} // namespace sparsec
