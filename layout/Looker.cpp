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

std::vector<int64_t> BlockAxes::borders(const Expr &left, int64_t columnBegin,
                                        int64_t columnEnd) const {
  std::vector<int64_t> columns;
  if (!std::holds_alternative<NaturalOrder>(keys.spec()))
    return columns;
  int64_t first = columnBegin * request.blockK;
  int64_t end = std::min(columnEnd * request.blockK, request.nk);
  for (int64_t key : bordersIn(left, Op::Key, {first, 1, end - first}))
    for (int64_t column : {key / request.blockK, (key - 1) / request.blockK + 1})
      if (column > (columns.empty() ? columnBegin : columns.back()) && column < columnEnd)
        columns.push_back(column);
  return columns;
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
  if (axes.cuts.drawsByQuery() && !drawn) {
    for (int64_t row = blocks.rowBegin; row < blocks.rowEnd && !strip.stopped(); ++row)
      visitDrawing({row, row + 1, blocks.columnBegin, blocks.columnEnd},
                   rows == 1 ? q : axes.queryPositions(row, row + 1));
    return;
  }
  BlockRectangle first = blocks, second = blocks;
  if (columns >= rows) {
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

namespace {

/// A row of which each of some queries has runs: full where all have, live where one has.
void join(std::span<const Strip> parts, Strip &strip) {
  struct Change {
    int32_t column;
    int live, full;
  };
  std::vector<Change> changes;
  for (const Strip &part : parts)
    for (const BlockRun &run : part.rows[0]) {
      int full = run.kind == BlockKind::Full;
      changes.push_back({run.begin, 1, full});
      changes.push_back({run.end, -1, -full});
    }
  std::sort(changes.begin(), changes.end(),
            [](const Change &a, const Change &b) { return a.column < b.column; });
  int64_t live = 0, full = 0;
  for (size_t i = 0; i < changes.size(); ++i) {
    live += changes[i].live;
    full += changes[i].full;
    if (live > 0 && changes[i].column < changes[i + 1].column)
      strip.append(parts[0].first,
                   {changes[i].column, changes[i + 1].column,
                    full == std::ssize(parts) ? BlockKind::Full : BlockKind::Partial});
  }
}

} // namespace

/// One row.
void Looker::visitDrawing(const BlockRectangle &row, const Ranges &q) {
  std::vector<Known> known;
  Range keys = hull(axes.keys.rows(row.columnBegin, row.columnEnd));
  for (const Range &range : q)
    learn(range, keys, axes.attend, known);
  if (known.size() == 1)
    return visitKnown(row, known[0], strip);
  std::vector<Strip> parts(known.size());
  for (size_t i = 0; i < known.size() && !strip.stopped(); ++i) {
    parts[i].first = row.rowBegin;
    parts[i].rows.resize(1);
    parts[i].mostRuns = strip.mostRuns;
    parts[i].mostUnits = strip.mostUnits - strip.work.units;
    visitKnown(row, known[i], parts[i]);
    strip.work.add(parts[i].work);
  }
  join(parts, strip);
}

/// Halves queries until what they draw is known.
void Looker::learn(const Range &q, const Range &keys, const Expr &predicate,
                   std::vector<Known> &known) {
  strip.work.count(&Work::questions, 1, 100 + 40 * predicate->size);
  Expr left = specialise(predicate, {q, keys}, axes.request.h, axes.request.sizes());
  if (q.count == 1 || !Cuts(left).drawsByQuery()) {
    known.push_back({q, left});
    return;
  }
  auto [first, second] = halves(q);
  learn(first, keys, left, known);
  learn(second, keys, left, known);
}

void Looker::visitKnown(const BlockRectangle &row, const Known &queries, Strip &found) const {
  if (queries.left->op == Op::False)
    return;
  Reader ofRow(queries.left, axes.request.h, axes.request.sizes(), nullptr);
  Looker looker(ofRow, *this, found);
  std::vector<int64_t> borders = axes.borders(queries.left, row.columnBegin, row.columnEnd);
  borders.push_back(row.columnEnd);
  BlockRectangle stretch = row;
  for (int64_t end : borders) {
    stretch.columnEnd = end;
    looker.visit(stretch, {queries.q}, axes.keys.rows(stretch.columnBegin, end));
    stretch.columnBegin = end;
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
