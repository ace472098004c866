// BlockLayout::build: strips of block rows. Rows that repeat (layout/Repeat.h) are copied, but for
// the columns that come in at the left; other strips are found side by side, each by questions
// (layout/Looker.h) or, where they are many, by a grid of cells (layout/CellGrid.h):
//
//   groups of 64 columns    .  F  ?  .         one lane each, for all rows of the strip
//   what is open            . . P P F F ? .    one lane for each block of a row
//   what is still open                  P      by questions
#include "layout/BlockLayout.h"
#include "layout/BuildTransposed.h"
#include "layout/CellGrid.h"
#include "layout/CountBlocks.h"
#include "layout/Looker.h"
#include "layout/Parallel.h"
#include "layout/Pieces.h"
#include "layout/Repeat.h"
#include "layout/Specialise.h"
#include "layout/VisitRows.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <mutex>

namespace sparsec {

namespace {

/// Block rows that are built together: wide enough to share questions, narrow enough to hold.
constexpr int64_t kStripRows = 64;
/// Rows that are found by questions before tables for all rows are worth making.
constexpr int64_t kFewRows = 2 * kStripRows;

int64_t rowBytesOf(int64_t rows) {
  return (rows + 1) * static_cast<int64_t>(sizeof(int64_t));
}

/// To look at each tile of an order: of natural ones the last alone is another.
int64_t unitsOfTiles(const Order &order) {
  constexpr int64_t kUnits = 30;
  return std::holds_alternative<NaturalOrder>(order.spec()) ? 0 : kUnits * order.tileCount();
}

} // namespace

class LayoutBuilder {
public:
  /// With a visitor the layout has no rows.
  LayoutBuilder(const Expr &attend, const LayoutRequest &request, const Order &queries,
                const Order &keys, const RowVisitor *visitor = nullptr)
      : attend(attend), request(request), visitor(visitor),
        axes(BlockAxes::of(this->attend, request, queries, keys)),
        reader(attend, request.h, request.sizes(), nullptr) {
    work.units += unitsOfTiles(queries) + unitsOfTiles(keys);
  }

  Result<BlockLayout> build();
  RowCounts countRows(std::span<const int64_t> rows);

private:
  Result<void> buildAll();
  Result<void> buildDirect(int64_t last);
  Result<void> buildCopy(const Repeat &repeat);
  void findStrip(Strip &strip, int64_t last) const;
  void findByCells(Strip &strip, int64_t last) const;
  void appendBlocks(Strip &strip, int64_t row, int64_t firstColumn,
                    std::span<const Truths> found) const;
  void copyRows(const BlockRectangle &blocks, const Repeat &repeat, Strip &strip) const;
  std::span<const BlockRun> finishedRow(int64_t row) const;
  bool prefersCells() const;
  bool draws() const { return axes.cuts.drawsByQuery() || axes.cuts.drawsByKey(); }
  void makeGrid();

  Strip stripFrom(int64_t first, int64_t count) const;
  Result<void> flush(Strip &strip);
  Error tooManyRuns() const;
  Error tooMuchWork(int64_t rowsDone) const;
  int64_t rowCount() const { return axes.queries.tileCount(); }
  int64_t columnCount() const { return axes.keys.tileCount(); }

  Expr attend;
  const LayoutRequest &request;
  const RowVisitor *visitor;
  BlockAxes axes;
  Reader reader;
  bool gridTried = false;
  std::optional<CellGrid> grid;

  Work work;
  int64_t done = 0; ///< rows
  bool keeps = true;
  int64_t mostRuns = 0;
  Pieces finished;
  BlockLayout layout;
};

/// Before anything is listed.
static Result<void> checkTiles(const Order &queries, const Order &keys,
                               const LayoutRequest &request) {
  int64_t rows = queries.tileCount(), rowBytes = rowBytesOf(rows);
  if (rowBytes > request.maximumBytes)
    return machineError(fmt::format("the layout's {} block rows take {} bytes, more than the {} "
                                    "that a layout may take; a larger block has fewer rows",
                                    rows, rowBytes, request.maximumBytes));
  if (unitsOfTiles(queries) + unitsOfTiles(keys) > request.maximumUnits)
    return machineError(fmt::format("the order's {} x {} tiles take more work than they may "
                                    "({:.0f} s of a core); larger blocks are fewer",
                                    rows, keys.tileCount(), double(request.maximumUnits) / 1e9));
  return {};
}

Result<BlockLayout> LayoutBuilder::build() {
  int64_t rowBytes = rowBytesOf(rowCount());
  mostRuns = (request.maximumBytes - rowBytes) / static_cast<int64_t>(sizeof(BlockRun));
  layout.asked = request;
  layout.asked.work = nullptr;
  layout.columnCount = columnCount();
  layout.rowBegin.reserve(rowCount() + 1);
  Result<void> built;
  if (columnCount() == 0)
    layout.rowBegin.resize(rowCount() + 1);
  else
    built = buildAll();
  if (request.work)
    request.work->add(work);
  if (!built)
    return built.error();
  layout.total.live = layout.total.full + layout.total.partial;
  layout.runs = finished.take();
  return std::move(layout);
}

Result<void> LayoutBuilder::buildAll() {
  std::optional<Repeat> repeat;
  int64_t nextSearch = 0, rows = rowCount();
  LayoutRequest counted = request;
  counted.work = &work;
  while (done < rows) {
    if (!repeat && done >= nextSearch) {
      repeat = findRepeat(attend, counted, axes.queries, axes.keys, done);
      nextSearch = 2 * done + 1;
      keeps = !visitor || repeat;
    }
    int64_t copyFirst = repeat ? repeat->firstRow + repeat->rows : rows;
    int64_t search = (nextSearch + kStripRows - 1) / kStripRows * kStripRows;
    int64_t last = std::min(copyFirst, repeat ? rows : std::min(search, rows));
    Result<void> built = done < last ? buildDirect(last) : buildCopy(*repeat);
    if (!built)
      return built;
  }
  return {};
}

/// Rows up to the last one, strips side by side.
Result<void> LayoutBuilder::buildDirect(int64_t last) {
  if (prefersCells() || (last > kFewRows && !draws()))
    makeGrid();
  int threads = threadsFor(request.threads);
  while (done < last) {
    std::vector<Strip> strips;
    for (int64_t first = done; first < last && std::ssize(strips) < 4 * threads;
         first += kStripRows)
      strips.push_back(stripFrom(first, std::min(kStripRows, last - first)));
    Strip::Together together;
    inParallel(threads, std::ssize(strips), [&](int64_t i) {
      strips[i].together = &together;
      findStrip(strips[i], strips[i].first + std::ssize(strips[i].rows));
      strips[i].tell();
    });
    // What strips did before they stopped is another for each number of threads; this is not.
    if (together.runs > strips[0].mostRuns) {
      work.units += Work::kUnitsOfRun * strips[0].mostRuns;
      return tooManyRuns();
    }
    if (together.units > strips[0].mostUnits) {
      work.units = request.maximumUnits + 1;
      return tooMuchWork(done);
    }
    for (Strip &strip : strips)
      if (Result<void> ok = flush(strip); !ok)
        return ok;
  }
  return {};
}

/// A strip that is copied whole, or one row that is not.
Result<void> LayoutBuilder::buildCopy(const Repeat &repeat) {
  int64_t first = done, last = std::min(first + kStripRows, rowCount());
  const auto &unlikeRows = repeat.unlikeRows;
  auto next = std::lower_bound(unlikeRows.begin(), unlikeRows.end(), first);
  if (next != unlikeRows.end() && *next == first)
    return buildDirect(first + 1);
  if (next != unlikeRows.end())
    last = std::min(last, *next);
  if (first == repeat.firstRow + repeat.rows) {
    // What is to be copied is known: whether there is room for it, too.
    double each = double(finished.size() - layout.rowBegin[repeat.firstRow]) / double(repeat.rows);
    if (double(finished.size()) + 0.9 * each * double(rowCount() - first) > double(mostRuns))
      return tooManyRuns();
  }
  Strip strip = stripFrom(first, last - first);
  Looker looker(reader, axes, strip);
  int64_t columns = columnCount(), begin = std::min(repeat.firstColumn + repeat.columns, columns);
  looker.visit({first, last, 0, begin});
  const auto &unlike = repeat.unlikeColumns;
  for (auto at = std::lower_bound(unlike.begin(), unlike.end(), begin); begin < columns; ++at) {
    int64_t end = at == unlike.end() ? columns : *at;
    copyRows({first, last, begin, end}, repeat, strip);
    if (end == columns)
      break;
    looker.visit({first, last, end, end + 1});
    begin = end + 1;
  }
  return flush(strip);
}

/// These rows and columns from rows above: those of this strip, or finished ones.
void LayoutBuilder::copyRows(const BlockRectangle &blocks, const Repeat &repeat,
                             Strip &strip) const {
  auto distance = static_cast<int32_t>(repeat.columns);
  auto first = static_cast<int32_t>(blocks.columnBegin);
  auto end = static_cast<int32_t>(blocks.columnEnd);
  for (int64_t row = blocks.rowBegin; row < blocks.rowEnd && !strip.stopped(); ++row) {
    int64_t above = row - repeat.rows;
    std::span<const BlockRun> source =
        above >= strip.first ? std::span<const BlockRun>(strip.rows[above - strip.first])
                             : finishedRow(above);
    for (const BlockRun &run : source) {
      int32_t begin = std::max(run.begin + distance, first);
      int32_t stop = std::min(run.end + distance, end);
      if (begin < stop)
        strip.append(row, {begin, stop, run.kind});
    }
  }
}

std::span<const BlockRun> LayoutBuilder::finishedRow(int64_t row) const {
  return finished.row(layout.rowBegin[row], layout.rowBegin[row + 1]);
}

/// Tables for all rows are cheaper than questions that look at each operator of a long predicate,
/// or than those without answers that a hash gets. What rows draw is found by its numbers instead.
bool LayoutBuilder::prefersCells() const {
  constexpr int64_t kLong = 128;
  return request.search == LayoutRequest::Search::Cells ||
         (!draws() && (reader.size() >= kLong || mentions(attend, Op::Hash)));
}

void LayoutBuilder::makeGrid() {
  if (gridTried || request.search == LayoutRequest::Search::Rectangles)
    return;
  gridTried = true;
  if (request.nq == 0 || request.nk == 0)
    return;
  Rectangle all = {{.first = request.q0, .step = 1, .count = request.nq},
                   {.first = 0, .step = 1, .count = request.nk}};
  grid = CellGrid::make(specialise(attend, all, request.h, request.sizes()), request, axes.queries,
                        axes.keys, work);
}

void LayoutBuilder::findStrip(Strip &strip, int64_t last) const {
  if (grid)
    return findByCells(strip, last);
  Looker(reader, axes, strip).visit({strip.first, last, 0, columnCount()});
}

void LayoutBuilder::findByCells(Strip &strip, int64_t last) const {
  constexpr int64_t kGroup = CellGrid::kGroup;
  std::vector<Truths> groups;
  grid->groups(strip.first, last, groups, strip.work);
  std::array<Truths, kGroup> found;
  for (int64_t group = 0; group < std::ssize(groups); ++group) {
    BlockRectangle blocks = {strip.first, last, group * kGroup,
                             std::min((group + 1) * kGroup, columnCount())};
    if (!(groups[group] & truths::kMayBeTrue))
      continue;
    if (!(groups[group] & truths::kMayBeFalse)) {
      axes.fillFull(blocks, strip);
      continue;
    }
    auto count = static_cast<int>(blocks.columnEnd - blocks.columnBegin);
    for (int64_t row = strip.first; row < last && !strip.stopped(); ++row) {
      if (row == strip.first || !grid->isLikeAbove(row))
        grid->blocks(row, blocks.columnBegin, count, found.data(), strip.work);
      appendBlocks(strip, row, blocks.columnBegin, {found.data(), size_t(count)});
    }
  }
}

void LayoutBuilder::appendBlocks(Strip &strip, int64_t row, int64_t firstColumn,
                                 std::span<const Truths> found) const {
  using namespace truths;
  uint64_t live = 0;
  for (size_t i = 0; i < found.size(); ++i)
    live |= static_cast<uint64_t>(found[i] & kMayBeTrue) << i;
  for (; live; live &= live - 1) {
    int i = std::countr_zero(live);
    int64_t column = firstColumn + i;
    Truths known = found[i];
    if ((known & kUnknown) == kUnknown && (known & kBoth) != kBoth)
      known = grid->decide(row, column, strip.work);
    if (!(known & kMayBeFalse))
      axes.fillFull({row, row + 1, column, column + 1}, strip);
    else if (known & kMayBeTrue)
      strip.append(row, {static_cast<int32_t>(column), static_cast<int32_t>(column) + 1,
                         BlockKind::Partial});
  }
}

Strip LayoutBuilder::stripFrom(int64_t first, int64_t count) const {
  Strip strip;
  strip.first = first;
  strip.rows.resize(count);
  strip.mostRuns = mostRuns - finished.size();
  strip.mostUnits = request.maximumUnits - work.units;
  return strip;
}

/// Moves the strip's rows to those that are finished.
Result<void> LayoutBuilder::flush(Strip &strip) {
  work.add(strip.work);
  for (const std::vector<BlockRun> &row : strip.rows) {
    for (const BlockRun &run : row)
      (run.kind == BlockKind::Full ? layout.total.full : layout.total.partial) +=
          run.end - run.begin;
    if (visitor)
      (*visitor)(row);
    if (keeps)
      finished.add(row);
    layout.rowBegin.push_back(finished.size());
    ++done;
  }
  if (finished.size() > mostRuns || strip.runs > strip.mostRuns)
    return tooManyRuns();
  if (strip.work.units > strip.mostUnits || work.units > request.maximumUnits)
    return tooMuchWork(done);
  return {};
}

Error LayoutBuilder::tooManyRuns() const {
  return machineError(
      fmt::format("the layout's {} block rows have more than {} runs of equal blocks "
                  "({} bytes); a larger block has fewer",
                  rowCount(), mostRuns, request.maximumBytes));
}

Error LayoutBuilder::tooMuchWork(int64_t rowsDone) const {
  return machineError(
      fmt::format("to find the layout's {} block rows takes more work than it may ({:.0f} s of a "
                  "core, by its first {}): the pattern has too little structure at this length",
                  rowCount(), double(request.maximumUnits) / 1e9, rowsDone));
}

RowCounts LayoutBuilder::countRows(std::span<const int64_t> rows) {
  mostRuns = std::numeric_limits<int64_t>::max();
  if (prefersCells())
    makeGrid();
  RowCounts counts;
  counts.rows.resize(rows.size());
  std::vector<Work> works(rows.size());
  inParallel(threadsFor(request.threads), std::ssize(rows), [&](int64_t i) {
    Strip strip = stripFrom(rows[i], 1);
    strip.mostUnits = std::numeric_limits<int64_t>::max();
    findStrip(strip, rows[i] + 1);
    BlockCounts &row = counts.rows[i];
    for (const BlockRun &run : strip.rows[0])
      (run.kind == BlockKind::Full ? row.full : row.partial) += run.end - run.begin;
    row.live = row.full + row.partial;
    works[i] = strip.work;
  });
  for (const Work &each : works)
    work.add(each);
  if (request.work)
    request.work->add(work);
  return counts;
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

bool foundByColumns(const Expr &attend, const LayoutRequest &request) {
  Cuts cuts(attend);
  return request.search == LayoutRequest::Search::Auto && cuts.drawsByKey() && !cuts.drawsByQuery();
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
  if (Result<void> few = checkTiles(queries, keys, request); !few)
    return few.error();
  if (foundByColumns(attend, request))
    return TransposedBuilder::build(attend, request, queries, keys);
  return LayoutBuilder(attend, request, queries, keys).build();
}

Result<void> visitRows(const Expr &attend, const LayoutRequest &request, const Order &queries,
                       const Order &keys, const RowVisitor &visit) {
  if (Result<void> checked = checkRequest(request); !checked)
    return checked;
  if (Result<void> few = checkTiles(queries, keys, request); !few)
    return few;
  if (foundByColumns(attend, request)) {
    Result<BlockLayout> layout = TransposedBuilder::build(attend, request, queries, keys);
    for (int64_t row = 0; layout && row < layout->rows(); ++row)
      visit(layout->row(row));
    return layout ? Result<void>() : layout.error();
  }
  Result<BlockLayout> counted = LayoutBuilder(attend, request, queries, keys, &visit).build();
  return counted ? Result<void>() : counted.error();
}

RowCounts BlockLayout::countRows(const Expr &attend, const LayoutRequest &request,
                                 const Order &queries, const Order &keys,
                                 std::span<const int64_t> rows) {
  assert(checkRequest(request) && queries.size() == request.nq && keys.size() == request.nk);
  constexpr int64_t kLong = int64_t{1} << 16; ///< blocks of a row
  if (keys.tileCount() > kLong)
    if (BlockCounter counter(attend, request, queries, keys); !counter.ofTables())
      return counter.rows(rows, threadsFor(request.threads), request.work);
  return LayoutBuilder(attend, request, queries, keys).countRows(rows);
}

} // namespace sparsec
