// CellGrid::decide: each pair of what cells leave open, a query at a time.
#include "layout/CellGrid.h"

#include <algorithm>
#include <array>

namespace sparsec {

using namespace truths;

static constexpr int kLanes = LaneProgram::kLanes;

CellGrid::Places CellGrid::placesOf(const std::vector<Expr> &parts,
                                    const std::vector<Table> &tables, const Axis &axis,
                                    int64_t cell) {
  std::vector<int64_t> positions = axis.positions(cell), highest(positions.size());
  Places places;
  for (size_t part = 0; part < parts.size(); ++part) {
    const Table &table = tables[part];
    std::vector<int64_t> &numbers = places.numbers.emplace_back();
    std::vector<Truths> &truths = places.truths.emplace_back();
    if (!isPredicate(parts[part]->op)) {
      numbers.resize(positions.size());
      PartProgram(parts[part]).integers(positions, positions, numbers.data(), highest.data());
      continue;
    }
    truths.assign(positions.size(), table.truths[cell]);
    if (table.truths[cell] == kBoth)
      for (size_t i = 0; i < truths.size(); ++i)
        truths[i] = table.bit(cell, static_cast<int64_t>(i)) ? kTrue : kFalse;
  }
  return places;
}

Cells CellGrid::Places::at(size_t part, int64_t place) const {
  if (!truths[part].empty())
    return {.truths = truths[part].data() + place};
  return {.low = numbers[part].data() + place, .points = true};
}

Truths CellGrid::decide(int64_t row, int64_t column, Work &work) const {
  Truths seen = 0;
  for (int64_t i = row * perRow; i < std::min((row + 1) * perRow, queries.count); ++i)
    for (int64_t j = column * perColumn; j < std::min((column + 1) * perColumn, keys.count); ++j)
      if (seen != kBoth)
        seen |= decideCell(i, j, seen, work);
  return seen;
}

Truths CellGrid::decideCell(int64_t row, int64_t column, Truths seen, Work &work) const {
  Places ofRow = placesOf(apart.ofQueries, ofQueries, queries, row);
  Places ofColumn = placesOf(apart.ofKeys, ofKeys, keys, column);
  std::vector<Cells> sources(apart.parts());
  std::vector<std::array<Truths, kLanes>> differences(ofDifferences.size());
  std::array<Truths, kLanes> found;
  int64_t rows =
      queries.natural ? queries.high(row) - queries.low(row) + 1 : queries.order->tokens(row);
  int64_t lanesInAll =
      keys.natural ? keys.high(column) - keys.low(column) + 1 : keys.order->tokens(column);
  work.units += 200 * static_cast<int64_t>(apart.parts());
  for (int64_t n = 0; n < rows && seen != kBoth; ++n) {
    int64_t i = n % 2 ? rows - 1 - n / 2 : n / 2; // the ends first
    for (int64_t at = 0; at < lanesInAll; at += kLanes) {
      int64_t lanes = std::min<int64_t>(kLanes, lanesInAll - at);
      size_t place = 0;
      for (size_t part = 0; part < apart.ofQueries.size(); ++part, ++place) {
        sources[place] = ofRow.at(part, i);
        sources[place].one = true;
      }
      for (size_t part = 0; part < apart.ofKeys.size(); ++part)
        sources[place++] = ofColumn.at(part, at);
      for (size_t d = 0; d < differences.size(); ++d, ++place) {
        const Table &table = ofDifferences[d];
        int64_t entry = differenceAt(row, column), corner = i + keys.size - 1 - at;
        sources[place] = {.truths = differences[d].data()};
        if (table.truths[entry] != kBoth)
          differences[d].fill(table.truths[entry]);
        else
          for (int64_t lane = 0; lane < lanes; ++lane)
            differences[d][lane] = table.bit(entry, corner - lane) ? kTrue : kFalse;
      }
      apart.core.run(sources, static_cast<int>(lanes), found.data());
      work.count(&Work::evaluations, 1, 50 + 20 * apart.core.size());
      for (int64_t lane = 0; lane < lanes; ++lane)
        seen |= found[lane];
    }
  }
  return seen;
}

} // namespace sparsec
