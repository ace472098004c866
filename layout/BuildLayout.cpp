// BlockLayout::build: strips of block rows; in a strip, rectangles of blocks that classify()
// decides whole or that are cut in two, down to one block; in a block, rectangles of pairs
// likewise, until one pair that attends and one that does not have been seen or all are decided.
//
//   causal, 4 x 4 blocks     ? ?      P . | . .
//                            ? ?      F P | . .       the upper right: empty, one question
//                                     ----+----
//                                     F F | P .       the lower left: full, one question
//                                     F F | F P
//
// Rows that repeat (layout/Repeat.h) are copied, but for the columns that come in at the left.
#include "layout/BlockLayout.h"
#include "layout/Cuts.h"
#include "layout/Reader.h"
#include "layout/Repeat.h"
#include "layout/Specialise.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace sparsec {

namespace {

/// Lists of progressions longer than this (products of their lengths) are cut before they are
/// classified.
constexpr size_t kMostRectangles = 64;
/// Rectangles of so few pairs are evaluated: cheaper than asking for a proof.
constexpr int64_t kFewPairs = 64;
/// Block rows that are built together: wide enough to share questions, narrow enough to hold.
constexpr int64_t kStripRows = 64;

using Ranges = std::vector<Range>;

/// Both truths of a predicate that were met so far.
struct Seen {
  bool yes = false, no = false;
  bool both() const { return yes && no; }
};

} // namespace

class LayoutBuilder {
public:
  LayoutBuilder(const Expr &attend, const LayoutRequest &request, const Order &queries,
                const Order &keys)
      : attend(attend), request(request), queries(queries), keys(keys),
        shortKeyTiles(keys.shortTiles()), cuts(attend),
        reader(attend, request.h, request.sizes(), request.work) {}

  Result<BlockLayout> build();
  BlockCounts countBlocks(int64_t row);

private:
  struct Blocks {
    int64_t rowBegin, rowEnd, columnBegin, columnEnd;
  };

  void buildStrip(int64_t last, const std::optional<Repeat> &repeat);
  void copyRows(const Blocks &blocks, const Repeat &repeat);

  void visitAll(const Blocks &blocks);
  void visit(const Blocks &blocks, const Ranges &q, const Ranges &k);
  Coverage classifyAround(const Ranges &q, const Ranges &k) const;
  Coverage classifyAll(const Ranges &q, const Ranges &k) const;
  Coverage decideBlock(const Ranges &q, const Ranges &k) const;
  void look(const Rectangle &rectangle, Seen &seen) const;
  void lookAtEachPair(const Rectangle &rectangle, Seen &seen) const;
  Ranges queryPositions(int64_t first, int64_t last) const;

  void fillFull(const Blocks &blocks);
  void append(int64_t row, BlockRun run);
  bool tooLarge() const { return runCount > mostRuns; }
  void flush(int64_t rowCount);

  Expr attend;
  const LayoutRequest &request;
  const Order &queries;
  const Order &keys;
  std::vector<int64_t> shortKeyTiles;
  Cuts cuts;
  Reader reader;

  int64_t stripFirst = 0;
  std::vector<std::vector<BlockRun>> strip = std::vector<std::vector<BlockRun>>(kStripRows);
  int64_t runCount = 0; ///< of the strip and all before it
  int64_t mostRuns = 0;
  BlockLayout layout;
};

Result<BlockLayout> LayoutBuilder::build() {
  int64_t rows = queries.tileCount(), columns = keys.tileCount();
  int64_t rowBytes = (rows + 1) * static_cast<int64_t>(sizeof(int64_t));
  if (rowBytes > request.maximumBytes)
    return machineError(fmt::format("the layout's {} block rows take {} bytes, more than the {} "
                                    "that a layout may take; a larger block has fewer rows",
                                    rows, rowBytes, request.maximumBytes));
  mostRuns = (request.maximumBytes - rowBytes) / static_cast<int64_t>(sizeof(BlockRun));

  layout.asked = request;
  layout.asked.work = nullptr;
  layout.columnCount = columns;
  layout.rowBegin.reserve(rows + 1);
  if (columns == 0)
    layout.rowBegin.resize(rows + 1);
  std::optional<Repeat> repeat;
  int64_t nextSearch = 0;
  for (int64_t last; columns > 0 && stripFirst < rows; stripFirst = last) {
    if (!repeat && stripFirst >= nextSearch) {
      repeat = findRepeat(attend, request, queries, keys, stripFirst);
      nextSearch = 2 * stripFirst + 1;
    }
    last = std::min(stripFirst + kStripRows, rows);
    // A strip is copied whole or not at all.
    int64_t copyFirst = repeat ? repeat->firstRow + repeat->rows : rows;
    if (stripFirst < copyFirst)
      last = std::min(last, copyFirst);
    bool copied = repeat && copyFirst <= stripFirst;
    if (copied) {
      const auto &unlike = repeat->unlikeRows;
      auto next = std::lower_bound(unlike.begin(), unlike.end(), stripFirst);
      if (next != unlike.end() && *next == stripFirst)
        copied = false;
      if (next != unlike.end())
        last = std::min(last, std::max(*next, stripFirst + 1));
    }
    buildStrip(last, copied ? repeat : std::nullopt);
    if (tooLarge())
      return machineError(
          fmt::format("the layout has more than {} runs of equal blocks ({} bytes) in its first {} "
                      "of {} block rows; a larger block has fewer",
                      mostRuns, request.maximumBytes, last, rows));
    flush(last - stripFirst);
  }
  layout.total.live = layout.total.full + layout.total.partial;
  layout.runs.shrink_to_fit();
  return std::move(layout);
}

BlockCounts LayoutBuilder::countBlocks(int64_t row) {
  mostRuns = std::numeric_limits<int64_t>::max();
  stripFirst = row;
  visitAll({row, row + 1, 0, keys.tileCount()});
  BlockCounts counts;
  for (const BlockRun &run : strip[0])
    (run.kind == BlockKind::Full ? counts.full : counts.partial) += run.end - run.begin;
  counts.live = counts.full + counts.partial;
  strip[0].clear();
  return counts;
}

/// Block rows stripFirst .. last - 1.
void LayoutBuilder::buildStrip(int64_t last, const std::optional<Repeat> &repeat) {
  int64_t columns = keys.tileCount();
  if (!repeat)
    return visitAll({stripFirst, last, 0, columns});
  int64_t begin = repeat->firstColumn + repeat->columns;
  visitAll({stripFirst, last, 0, begin});
  const auto &unlike = repeat->unlikeColumns;
  for (auto next = std::lower_bound(unlike.begin(), unlike.end(), begin); begin < columns; ++next) {
    int64_t end = next == unlike.end() ? columns : *next;
    copyRows({stripFirst, last, begin, end}, *repeat);
    if (end == columns)
      return;
    visitAll({stripFirst, last, end, end + 1});
    begin = end + 1;
  }
}

/// These rows and columns from rows above: those of this strip, or finished ones.
void LayoutBuilder::copyRows(const Blocks &blocks, const Repeat &repeat) {
  auto distance = static_cast<int32_t>(repeat.columns);
  auto first = static_cast<int32_t>(blocks.columnBegin);
  auto end = static_cast<int32_t>(blocks.columnEnd);
  for (int64_t row = blocks.rowBegin; row < blocks.rowEnd && !tooLarge(); ++row) {
    int64_t above = row - repeat.rows;
    std::span<const BlockRun> source = above >= stripFirst
                                           ? std::span<const BlockRun>(strip[above - stripFirst])
                                           : layout.row(above);
    for (const BlockRun &run : source) {
      int32_t begin = std::max(run.begin + distance, first);
      int32_t stop = std::min(run.end + distance, end);
      if (begin < stop)
        append(row, {begin, stop, run.kind});
    }
  }
}

void LayoutBuilder::visitAll(const Blocks &blocks) {
  if (blocks.columnBegin < blocks.columnEnd)
    visit(blocks, queryPositions(blocks.rowBegin, blocks.rowEnd),
          keys.rows(blocks.columnBegin, blocks.columnEnd));
}

Ranges LayoutBuilder::queryPositions(int64_t first, int64_t last) const {
  Ranges ranges = queries.rows(first, last);
  for (Range &range : ranges)
    range.first += request.q0;
  return ranges;
}

/// Decides blocks whose pairs are q x k. Left columns come before right ones, so that each row's
/// runs arrive in order.
void LayoutBuilder::visit(const Blocks &blocks, const Ranges &q, const Ranges &k) {
  if (tooLarge())
    return;
  int64_t rows = blocks.rowEnd - blocks.rowBegin, columns = blocks.columnEnd - blocks.columnBegin;
  bool single = rows == 1 && columns == 1;
  switch (single ? decideBlock(q, k) : classifyAll(q, k)) {
  case Coverage::Empty:
    return;
  case Coverage::Full:
    return fillFull(blocks);
  case Coverage::Mixed:
    break;
  }
  if (single) {
    auto column = static_cast<int32_t>(blocks.columnBegin);
    append(blocks.rowBegin, {column, column + 1, BlockKind::Partial});
    return;
  }
  Blocks first = blocks, second = blocks;
  // What rows draw is known one row at a time: their common columns have no answer.
  bool rowsFirst = rows > 1 && cuts.drawsByQuery(), columnsFirst = columns > 1 && cuts.drawsByKey();
  if (!rowsFirst && (columnsFirst || columns >= rows)) {
    auto left = halves(Range{blocks.columnBegin, 1, columns}).first.count;
    first.columnEnd = second.columnBegin = blocks.columnBegin + left;
    visit(first, q, keys.rows(first.columnBegin, first.columnEnd));
    visit(second, q, keys.rows(second.columnBegin, second.columnEnd));
  } else {
    auto upper = halves(Range{blocks.rowBegin, 1, rows}).first.count;
    first.rowEnd = second.rowBegin = blocks.rowBegin + upper;
    visit(first, queryPositions(first.rowBegin, first.rowEnd), k);
    visit(second, queryPositions(second.rowBegin, second.rowEnd), k);
  }
}

/// What holds for all that lies around holds for them: one question instead of many.
Coverage LayoutBuilder::classifyAround(const Ranges &q, const Ranges &k) const {
  return q.size() * k.size() > 2 ? reader.classify({hull(q), hull(k)}) : Coverage::Mixed;
}

/// One answer for all pairs of q x k, when classify() has it. Stops at the first that differs.
Coverage LayoutBuilder::classifyAll(const Ranges &q, const Ranges &k) const {
  if (q.empty() || k.empty())
    return Coverage::Empty;
  if (Coverage around = classifyAround(q, k); around != Coverage::Mixed)
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

/// Exact: Mixed means that some pair attends and some pair does not.
Coverage LayoutBuilder::decideBlock(const Ranges &q, const Ranges &k) const {
  if (Coverage around = classifyAround(q, k); around != Coverage::Mixed)
    return around;
  Seen seen;
  for (const Range &queryRange : q)
    for (const Range &keyRange : k) {
      look({queryRange, keyRange}, seen);
      if (seen.both())
        return Coverage::Mixed;
    }
  return seen.yes ? Coverage::Full : Coverage::Empty;
}

/// Adds the truths in a rectangle to `seen`; stops once both are there.
void LayoutBuilder::look(const Rectangle &rectangle, Seen &seen) const {
  if (area(rectangle) <= kFewPairs)
    return lookAtEachPair(rectangle, seen);
  switch (reader.classify(rectangle)) {
  case Coverage::Empty:
    seen.no = true;
    return;
  case Coverage::Full:
    seen.yes = true;
    return;
  case Coverage::Mixed:
    break;
  }
  const auto &[q, k] = rectangle;
  for (int64_t queryEnd : {q.first, q.last()})
    for (int64_t keyEnd : {k.first, k.last()})
      (reader.at(queryEnd, keyEnd) ? seen.yes : seen.no) = true;
  if (seen.both())
    return;
  auto [first, second] = halves(rectangle);
  look(first, seen);
  if (!seen.both())
    look(second, seen);
}

void LayoutBuilder::lookAtEachPair(const Rectangle &rectangle, Seen &seen) const {
  const auto &[q, k] = rectangle;
  for (int64_t i = 0; i < q.count && !seen.both(); ++i) {
    int64_t found = reader.countRow(q.first + i * q.step, k);
    seen.yes |= found > 0;
    seen.no |= found < k.count;
  }
}

/// Full blocks, but for key tiles that are short: some of their keys do not exist, or none.
void LayoutBuilder::fillFull(const Blocks &blocks) {
  auto begin = std::lower_bound(shortKeyTiles.begin(), shortKeyTiles.end(), blocks.columnBegin);
  auto end = std::lower_bound(begin, shortKeyTiles.end(), blocks.columnEnd);
  for (int64_t row = blocks.rowBegin; row < blocks.rowEnd; ++row) {
    if (queries.tokens(row) == 0)
      continue;
    auto column = static_cast<int32_t>(blocks.columnBegin);
    for (auto it = begin; it != end; ++it) {
      auto shortTile = static_cast<int32_t>(*it);
      append(row, {column, shortTile, BlockKind::Full});
      if (keys.tokens(shortTile) > 0)
        append(row, {shortTile, shortTile + 1, BlockKind::Partial});
      column = shortTile + 1;
    }
    append(row, {column, static_cast<int32_t>(blocks.columnEnd), BlockKind::Full});
  }
}

void LayoutBuilder::append(int64_t row, BlockRun run) {
  if (run.begin == run.end)
    return;
  Work::add(request.work, &Work::runs);
  std::vector<BlockRun> &runs = strip[row - stripFirst];
  if (!runs.empty() && runs.back().end == run.begin && runs.back().kind == run.kind) {
    runs.back().end = run.end;
    return;
  }
  runs.push_back(run);
  ++runCount;
}

/// Moves the strip's finished rows to the layout.
void LayoutBuilder::flush(int64_t rowCount) {
  for (int64_t row = 0; row < rowCount; ++row) {
    for (const BlockRun &run : strip[row])
      (run.kind == BlockKind::Full ? layout.total.full : layout.total.partial) +=
          run.end - run.begin;
    layout.runs.insert(layout.runs.end(), strip[row].begin(), strip[row].end());
    layout.rowBegin.push_back(static_cast<int64_t>(layout.runs.size()));
    strip[row].clear();
  }
}

namespace {

Result<void> checkRequest(const LayoutRequest &request) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  auto outside = [](std::string_view what, int64_t low, int64_t high, int64_t found) {
    return inputError(fmt::format("expected {} in {} .. {}, found {}", what, low, high, found));
  };
  if (request.nq < 0 || request.nq > kMost)
    return outside("a number of query rows", 0, kMost, request.nq);
  if (request.nk < 0 || request.nk > kMost)
    return outside("a number of keys", 0, kMost, request.nk);
  if (request.q0 < -kMost || request.q0 > kMost - request.nq)
    return outside(fmt::format("q0 of {} query rows", request.nq), -kMost, kMost - request.nq,
                   request.q0);
  if (request.h < 0 || request.h >= 1 << 20)
    return outside("a head", 0, (1 << 20) - 1, request.h);
  if (request.blockQ < 1 || request.blockK < 1)
    return inputError(fmt::format("expected blocks of at least 1 x 1, found {} x {}",
                                  request.blockQ, request.blockK));
  return {};
}

} // namespace

Result<BlockLayout> BlockLayout::build(const Expr &attend, const LayoutRequest &request) {
  if (Result<void> checked = checkRequest(request); !checked)
    return checked.error();
  return build(attend, request, Order::natural(request.nq, request.blockQ),
               Order::natural(request.nk, request.blockK));
}

Result<BlockLayout> BlockLayout::build(const Expr &attend, const LayoutRequest &request,
                                       const Order &queries, const Order &keys) {
  if (Result<void> checked = checkRequest(request); !checked)
    return checked.error();
  assert(queries.size() == request.nq && keys.size() == request.nk);
  return LayoutBuilder(attend, request, queries, keys).build();
}

std::vector<BlockCounts> BlockLayout::countRows(const Expr &attend, const LayoutRequest &request,
                                                const Order &queries, const Order &keys,
                                                std::span<const int64_t> rows) {
  assert(checkRequest(request) && queries.size() == request.nq && keys.size() == request.nk);
  LayoutBuilder builder(attend, request, queries, keys);
  std::vector<BlockCounts> counts;
  for (int64_t row : rows)
    counts.push_back(builder.countBlocks(row));
  return counts;
}

} // namespace sparsec
