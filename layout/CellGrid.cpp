#include "layout/CellGrid.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <tuple>

namespace sparsec {

namespace {

using namespace truths;

/// Tables of more cells are not made: a layout of so many rows repeats, or is no use.
constexpr int64_t kMostCells = int64_t{1} << 20;
/// A block is cut into so many cells a side at most.
constexpr int64_t kMostCut = 8;
constexpr int kLanes = LaneProgram::kLanes;

} // namespace

std::optional<CellGrid> CellGrid::make(const Expr &attend, const LayoutRequest &request,
                                       const Order &queries, const Order &keys, Work &work) {
  constexpr int64_t kMostTiles = kMostCells / kMostCut;
  if (request.nq == 0 || request.nk == 0 || queries.tileCount() >= kMostTiles ||
      keys.tileCount() >= kMostTiles)
    return std::nullopt;
  bool natural = true;
  for (const Order *order : {&queries, &keys}) {
    bool isNatural = std::holds_alternative<NaturalOrder>(order->spec());
    natural = natural && isNatural;
    if (!isNatural && !std::holds_alternative<GridOrder>(order->spec()))
      return std::nullopt;
  }
  std::optional<Apart> apart =
      takeApart(attend, natural ? Differences::Apart : Differences::InTheCore);
  if (!apart)
    return std::nullopt;
  CellGrid grid(*std::move(apart), request, queries, keys);
  if (natural)
    grid.chooseCells(request);
  grid.makeTables(work);
  grid.makeGroups();
  grid.joinKeys();
  return grid;
}

CellGrid::CellGrid(Apart taken, const LayoutRequest &request, const Order &ofQueries,
                   const Order &ofKeys)
    : apart(std::move(taken)) {
  queries = {.order = &ofQueries,
             .natural = std::holds_alternative<NaturalOrder>(ofQueries.spec()),
             .first = request.q0,
             .size = request.blockQ,
             .count = ofQueries.tileCount(),
             .end = request.q0 + request.nq};
  keys = {.order = &ofKeys,
          .natural = std::holds_alternative<NaturalOrder>(ofKeys.spec()),
          .first = 0,
          .size = request.blockK,
          .count = ofKeys.tileCount(),
          .end = request.nk};
  columns = keys.count;
}

std::vector<int64_t> CellGrid::Axis::positions(int64_t cell) const {
  if (!natural) {
    std::vector<int64_t> all = order->positions(cell);
    for (int64_t &position : all)
      position += first;
    return all;
  }
  std::vector<int64_t> all(high(cell) - low(cell) + 1);
  std::iota(all.begin(), all.end(), low(cell));
  return all;
}

/// Whether the integers among the parts are one number in most cells.
bool CellGrid::steps(const std::vector<Expr> &parts, const Axis &axis) {
  constexpr int64_t kSample = 256;
  std::vector<int64_t> low, high;
  for (int64_t i = 0; i < std::min(kSample, axis.count); ++i) {
    int64_t cell = axis.count <= kSample ? i : i * (axis.count / kSample) + i % 7;
    low.push_back(axis.low(cell));
    high.push_back(axis.high(cell));
  }
  std::vector<int64_t> lowest(low.size()), highest(low.size());
  for (const Expr &part : parts) {
    if (isPredicate(part->op))
      continue;
    PartProgram(part).integers(low, high, lowest.data(), highest.data());
    size_t points = 0;
    for (size_t i = 0; i < low.size(); ++i)
      points += lowest[i] == highest[i];
    if (4 * points < 3 * low.size())
      return false;
  }
  return true;
}

/// The largest cells in which the parts are numbers, if there are any such.
void CellGrid::chooseCells(const LayoutRequest &request) {
  auto cut = [](const std::vector<Expr> &parts, Axis &axis, int64_t block) -> bool {
    for (int64_t times = 1; times <= kMostCut && block % times == 0; times *= 2) {
      Axis cells = axis;
      cells.size = block / times;
      cells.count = (axis.end - axis.first - 1) / cells.size + 1;
      if (steps(parts, cells)) {
        axis = cells;
        return true;
      }
    }
    return false;
  };
  Axis wholeQueries = queries, wholeKeys = keys;
  if (!cut(apart.ofQueries, queries, request.blockQ) || !cut(apart.ofKeys, keys, request.blockK))
    std::tie(queries, keys) = std::pair(wholeQueries, wholeKeys);
  perRow = request.blockQ / queries.size;
  perColumn = request.blockK / keys.size;
}

/// What intervals leave open of a predicate of one number: each of its values is asked.
void CellGrid::decideTruths(const Expr &part, Table &table, int64_t longest,
                            const std::function<std::vector<int64_t>(int64_t)> &positions,
                            Work &work) {
  PartProgram program(part);
  table.words = (longest + 63) / 64;
  table.bits.resize(std::ssize(table.truths) * table.words);
  std::vector<Truths> each;
  for (int64_t cell = 0; cell < std::ssize(table.truths); ++cell) {
    if ((table.truths[cell] & kUnknown) != kUnknown)
      continue;
    std::vector<int64_t> all = positions(cell);
    each.resize(all.size());
    program.truths(all, all, each.data());
    work.count(&Work::evaluations, (std::ssize(all) + 63) / 64, 50 + 20 * program.size());
    Truths found = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      found |= each[i];
      table.bits[cell * table.words + i / 64] |= static_cast<uint64_t>(each[i] & kMayBeTrue)
                                                 << (i % 64);
    }
    table.truths[cell] = found;
  }
}

CellGrid::Table CellGrid::tableOf(const Expr &part, const Axis &axis, Work &work) {
  std::vector<int64_t> low, high, cells; // stretches of neighbours, and whose they are
  if (axis.natural) {
    low.reserve(axis.count);
    high.reserve(axis.count);
  }
  for (int64_t i = 0; i < axis.count; ++i) {
    if (axis.natural) {
      low.push_back(axis.low(i));
      high.push_back(axis.high(i));
      continue;
    }
    for (const Range &range : axis.order->rows(i))
      for (int64_t j = 0; j < (range.step == 1 ? 1 : range.count); ++j) {
        int64_t from = axis.first + range.first + j * range.step;
        low.push_back(from);
        high.push_back(range.step == 1 ? from + range.count - 1 : from);
        cells.push_back(i);
      }
  }
  PartProgram program(part);
  work.count(&Work::cells, std::ssize(low), 1 + program.size() / 2);
  Table all, table; // of stretches, of cells
  if (isPredicate(part->op)) {
    all.truths.resize(low.size());
    program.truths(low, high, all.truths.data());
  } else {
    all.low.resize(low.size());
    all.high.resize(low.size());
    all.points = program.integers(low, high, all.low.data(), all.high.data());
  }
  if (axis.natural)
    table = std::move(all);
  int64_t at = 0, end = 0;
  for (int64_t i = 0; !axis.natural && i < axis.count; ++i, at = end) {
    while (end < std::ssize(cells) && cells[end] == i)
      ++end;
    if (at < end)
      merge(all, at, end, table);
    else
      merge(all, 0, 1, table); // a tile that holds nothing: any value does
  }
  if (isPredicate(part->op))
    decideTruths(
        part, table, axis.size, [&](int64_t cell) { return axis.positions(cell); }, work);
  return table;
}

void CellGrid::makeTables(Work &work) {
  for (const Expr &part : apart.ofQueries)
    ofQueries.push_back(tableOf(part, queries, work));
  for (const Expr &part : apart.ofKeys)
    ofKeys.push_back(tableOf(part, keys, work));
  if (apart.ofDifferences.empty())
    return;
  pitch = std::gcd(queries.size, keys.size);
  origin = (queries.count - 1) * queries.size / pitch;
  int64_t entries = origin + (keys.count - 1) * keys.size / pitch + 1;
  int64_t span = queries.size + keys.size - 1;
  std::vector<int64_t> low(entries), high(entries);
  for (int64_t i = 0; i < entries; ++i) { // of q - k, which falls as columns rise
    low[i] = queries.first - keys.first - (i - origin) * pitch - (keys.size - 1);
    high[i] = low[i] + span - 1;
  }
  auto positions = [&](int64_t entry) {
    std::vector<int64_t> all(span);
    std::iota(all.begin(), all.end(), low[entry]);
    return all;
  };
  for (const Expr &part : apart.ofDifferences) {
    Table &table = ofDifferences.emplace_back();
    table.truths.resize(entries);
    PartProgram program(part);
    work.count(&Work::cells, entries, 1 + program.size() / 2);
    program.truths(low, high, table.truths.data());
    decideTruths(part, table, span, positions, work);
  }
}

/// What cells first .. last - 1 are together, as one more entry.
void CellGrid::merge(const Table &from, int64_t first, int64_t last, Table &to) {
  if (!from.truths.empty()) {
    Truths all = 0;
    for (int64_t i = first; i < last; ++i)
      all |= from.truths[i];
    to.truths.push_back(all);
    return;
  }
  to.low.push_back(*std::min_element(from.low.begin() + first, from.low.begin() + last));
  to.high.push_back(*std::max_element(from.high.begin() + first, from.high.begin() + last));
  to.points = (to.low.size() == 1 || to.points) && to.low.back() == to.high.back();
}

void CellGrid::makeGroups() {
  int64_t cells = kGroup * perColumn;
  groupCount = (columns - 1) / kGroup + 1;
  for (const Table &table : ofKeys) {
    Table &groups = keyGroups.emplace_back();
    for (int64_t i = 0; i < groupCount; ++i)
      merge(table, i * cells, std::min((i + 1) * cells, keys.count), groups);
  }
}

Cells CellGrid::Table::at(int64_t i) const {
  if (!truths.empty())
    return {.truths = truths.data() + i};
  return {.low = low.data() + i, .high = high.data() + i, .points = points};
}

Cells CellGrid::differencesAt(int64_t row, int64_t column, int count, const Table &table,
                              Truths *room) const {
  int64_t at = differenceAt(row, column), stride = keys.size / pitch;
  bool shortRow = queries.isShort(row), shortColumn = keys.isShort(column + count - 1);
  if (stride == 1 && !shortRow && !shortColumn)
    return {.truths = table.truths.data() + at};
  for (int i = 0; i < count; ++i)
    room[i] = table.truths[at + i * stride];
  // The last cells of an axis may be short: not all of these differences are theirs.
  for (int i = 0; i < count; ++i)
    if ((shortRow || (shortColumn && i + 1 == count)) && (room[i] & kUnknown) == kUnknown)
      room[i] = kUnknown;
  return {.truths = room};
}

/// Cells first .. last - 1 of keys, each that is like its neighbour once.
void CellGrid::askJoined(std::vector<Cells> &sources, size_t next, int64_t first, int64_t last,
                         Truths *result, Work &work) const {
  std::array<Truths, kLanes> found;
  int64_t cell = first;
  for (int64_t at = joined[first]; at <= joined[last - 1]; at += kLanes) {
    size_t place = next;
    auto lanes = static_cast<int>(std::min<int64_t>(kLanes, joined[last - 1] - at + 1));
    for (const Table &table : ofJoined)
      sources[place++] = table.at(at);
    apart.core.run(sources, lanes, found.data());
    work.count(&Work::cells, lanes, 1 + apart.core.size() / 2);
    for (; cell < last && joined[cell] < at + lanes; ++cell)
      result[(cell - first) / perColumn] |= found[joined[cell] - at];
  }
}

void CellGrid::blocks(int64_t row, int64_t firstColumn, int count, Truths *result,
                      Work &work) const {
  std::fill_n(result, count, Truths{0});
  int64_t first = firstColumn * perColumn;
  int64_t last = std::min((firstColumn + count) * perColumn, keys.count);
  std::vector<Cells> sources(apart.parts());
  std::vector<std::array<Truths, kLanes>> differences(ofDifferences.size());
  std::array<Truths, kLanes> found;
  for (int64_t i = row * perRow; i < std::min((row + 1) * perRow, queries.count); ++i) {
    size_t next = 0;
    for (const Table &table : ofQueries) {
      sources[next] = table.at(i);
      sources[next].one = true;
      if (table.truths.empty())
        sources[next].points = table.low[i] == table.high[i];
      ++next;
    }
    if (!joined.empty()) {
      askJoined(sources, next, first, last, result, work);
      continue;
    }
    for (int64_t at = first; at < last; at += kLanes) {
      size_t place = next;
      auto lanes = static_cast<int>(std::min<int64_t>(kLanes, last - at));
      for (const Table &table : ofKeys)
        sources[place++] = table.at(at);
      for (size_t d = 0; d < differences.size(); ++d)
        sources[place++] = differencesAt(i, at, lanes, ofDifferences[d], differences[d].data());
      apart.core.run(sources, lanes, found.data());
      work.count(&Work::cells, lanes, 1 + apart.core.size() / 2);
      if (perColumn == 1)
        for (int j = 0; j < lanes; ++j)
          result[at - first + j] |= found[j];
      else
        for (int j = 0; j < lanes; ++j)
          result[(at - first + j) / perColumn] |= found[j];
    }
  }
}

bool CellGrid::isLikeAbove(int64_t row) const {
  return perRow == 1 && ofDifferences.empty() && row > 0 && isLikeBefore(ofQueries, row);
}

bool CellGrid::isLikeBefore(const std::vector<Table> &tables, int64_t cell) {
  return std::all_of(tables.begin(), tables.end(), [&](const Table &table) {
    if (!table.truths.empty())
      return table.truths[cell] == table.truths[cell - 1] && table.truths[cell] != kBoth;
    return table.low[cell] == table.high[cell] && table.low[cell - 1] == table.low[cell] &&
           table.high[cell - 1] == table.high[cell];
  });
}

/// Worth it where a quarter of the cells are like the one before.
void CellGrid::joinKeys() {
  if (!ofDifferences.empty())
    return;
  std::vector<int32_t> which(keys.count);
  std::vector<Table> tables(ofKeys.size());
  int32_t last = -1;
  for (int64_t cell = 0; cell < keys.count; ++cell) {
    if (cell == 0 || !isLikeBefore(ofKeys, cell)) {
      ++last;
      for (size_t i = 0; i < tables.size(); ++i)
        merge(ofKeys[i], cell, cell + 1, tables[i]);
    }
    which[cell] = last;
  }
  if (4 * (int64_t{last} + 1) > 3 * keys.count)
    return;
  joined = std::move(which);
  ofJoined = std::move(tables);
}

void CellGrid::groups(int64_t first, int64_t last, std::vector<Truths> &result, Work &work) const {
  result.resize(groupCount);
  int64_t from = first * perRow, to = std::min(last * perRow, queries.count);
  std::vector<Table> ofRows(ofQueries.size());
  std::vector<Cells> sources(apart.parts());
  size_t next = 0;
  for (const Table &table : ofQueries) {
    merge(table, from, to, ofRows[next]);
    sources[next] = ofRows[next].at(0);
    sources[next++].one = true;
  }
  std::vector<PartProgram> programs(apart.ofDifferences.begin(), apart.ofDifferences.end());
  std::vector<std::array<Truths, kLanes>> differences(programs.size());
  std::array<int64_t, kLanes> low, high;
  for (int64_t at = 0; at < groupCount; at += kLanes) {
    auto lanes = static_cast<int>(std::min<int64_t>(kLanes, groupCount - at));
    size_t place = next;
    for (const Table &table : keyGroups)
      sources[place++] = table.at(at);
    for (int i = 0; i < lanes; ++i) {
      int64_t begin = (at + i) * kGroup * perColumn;
      int64_t end = std::min(begin + kGroup * perColumn, keys.count);
      low[i] = queries.low(from) - keys.high(end - 1);
      high[i] = queries.high(to - 1) - keys.low(begin);
    }
    for (size_t d = 0; d < programs.size(); ++d) {
      programs[d].truths({low.data(), size_t(lanes)}, {high.data(), size_t(lanes)},
                         differences[d].data());
      sources[place++] = {.truths = differences[d].data()};
    }
    apart.core.run(sources, lanes, result.data() + at);
    work.count(&Work::cells, lanes, 1 + apart.core.size() / 2);
  }
}

} // namespace sparsec
