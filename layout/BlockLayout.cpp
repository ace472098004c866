#include "layout/BlockLayout.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

namespace sparsec {

LayoutRequest exchanged(LayoutRequest request) {
  std::swap(request.nq, request.nk);
  std::swap(request.blockQ, request.blockK);
  request.q0 = 0;
  return request;
}

std::span<const BlockRun> BlockLayout::row(int64_t i) const {
  assert(0 <= i && i < rows());
  return {runs.data() + rowBegin[i], runs.data() + rowBegin[i + 1]};
}

bool BlockLayout::operator==(const BlockLayout &other) const {
  return columnCount == other.columnCount && rowBegin == other.rowBegin && runs == other.runs;
}

namespace {

/// Walks two rows together: calls change(begin, end, above, below) for each stretch of columns on
/// which they differ; a null kind is an empty block.
template <class Change>
void forEachChange(std::span<const BlockRun> above, std::span<const BlockRun> below,
                   Change &&change) {
  constexpr int32_t kEnd = std::numeric_limits<int32_t>::max();
  size_t a = 0, b = 0;
  int32_t at = 0;
  while (a < above.size() || b < below.size()) {
    // The kind of each row at column `at`, and the first column at which either may change.
    int32_t next = kEnd;
    auto kindAt = [&](std::span<const BlockRun> row, size_t i) -> std::optional<BlockKind> {
      if (i == row.size())
        return std::nullopt;
      bool inside = row[i].begin <= at;
      next = std::min(next, inside ? row[i].end : row[i].begin);
      return inside ? std::optional(row[i].kind) : std::nullopt;
    };
    std::optional<BlockKind> kindAbove = kindAt(above, a), kindBelow = kindAt(below, b);
    if (kindAbove != kindBelow)
      change(at, next, kindAbove, kindBelow);
    at = next;
    if (a < above.size() && above[a].end == at)
      ++a;
    if (b < below.size() && below[b].end == at)
      ++b;
  }
}

/// Calls emit(column, run of rows) for every run of the transpose, each column's in order. Cost
/// follows the runs that end, not the blocks: `open` holds where each column's present run began.
template <class Emit>
void forEachColumnRun(const BlockLayout &layout, std::vector<int32_t> &open, Emit &&emit) {
  std::span<const BlockRun> above;
  for (int64_t r = 0; r <= layout.rows(); ++r) {
    std::span<const BlockRun> below =
        r < layout.rows() ? layout.row(r) : std::span<const BlockRun>();
    auto change = [&](int32_t begin, int32_t end, auto kindAbove, auto kindBelow) {
      for (int32_t column = begin; column < end; ++column) {
        if (kindAbove)
          emit(column, BlockRun{open[column], static_cast<int32_t>(r), *kindAbove});
        if (kindBelow)
          open[column] = static_cast<int32_t>(r);
      }
    };
    forEachChange(above, below, change);
    above = below;
  }
}

} // namespace

BlockLayout BlockLayout::transpose() const {
  BlockLayout result;
  result.asked = asked;
  result.columnCount = rows();
  result.total = total;
  std::vector<int32_t> open(columnCount);
  result.rowBegin.assign(columnCount + 1, 0);
  forEachColumnRun(*this, open, [&](int32_t column, BlockRun) { ++result.rowBegin[column + 1]; });
  std::partial_sum(result.rowBegin.begin(), result.rowBegin.end(), result.rowBegin.begin());

  result.runs.resize(result.rowBegin.back());
  std::vector<int64_t> next(result.rowBegin.begin(), result.rowBegin.end() - 1);
  forEachColumnRun(*this, open,
                   [&](int32_t column, BlockRun run) { result.runs[next[column]++] = run; });
  return result;
}

Result<BlockTables> BlockLayout::tables() const {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  if (total.live > kMost || rows() > (kMost - 1) / 2)
    return machineError(
        fmt::format("the layout's tables hold 32-bit offsets, up to {} blocks; this "
                    "layout has {} live blocks in {} rows; a larger block has fewer",
                    kMost, total.live, rows()));
  BlockTables result;
  result.offsets.reserve(2 * rows() + 1);
  result.offsets.push_back(0);
  result.columns.reserve(total.live);
  for (int64_t r = 0; r < rows(); ++r)
    for (BlockKind kind : {BlockKind::Partial, BlockKind::Full}) {
      for (const BlockRun &run : row(r))
        if (run.kind == kind)
          for (int32_t column = run.begin; column < run.end; ++column)
            result.columns.push_back(column);
      result.offsets.push_back(static_cast<int32_t>(result.columns.size()));
    }

  result.rowOrder.resize(rows());
  std::iota(result.rowOrder.begin(), result.rowOrder.end(), 0);
  auto length = [&](int32_t r) { return result.offsets[2 * r + 2] - result.offsets[2 * r]; };
  std::stable_sort(result.rowOrder.begin(), result.rowOrder.end(),
                   [&](int32_t a, int32_t b) { return length(a) > length(b); });
  return result;
}

std::string BlockLayout::print() const {
  std::string text;
  for (int64_t r = 0; r < rows(); ++r) {
    std::string line(std::max<int64_t>(2 * columnCount - 1, 0), ' ');
    for (int64_t c = 0; c < columnCount; ++c)
      line[2 * c] = '.';
    for (const BlockRun &run : row(r))
      for (int32_t c = run.begin; c < run.end; ++c)
        line[2 * c] = run.kind == BlockKind::Full ? 'F' : 'P';
    text += line + '\n';
  }
  return text;
}

} // namespace sparsec
