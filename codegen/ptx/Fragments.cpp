#include "codegen/ptx/Fragments.h"

namespace sparsec::fragments {

Fragment accumulator(int columns, int rows, int across) {
  Fragment fragment;
  fragment.warpRows = rows;
  fragment.warpsAcross = across;
  fragment.warpColumns = across == 1 ? 0 : columns / across;
  for (int top = 0; top < rows; top += kMmaRows)
    for (int left = 0; left < columns / across; left += kMmaColumns)
      for (int i = 0; i < 4; ++i)
        fragment.registers.push_back({top + 8 * (i / 2), left + i % 2});
  return fragment;
}

Fragment lhs(int depth, int rows) {
  Fragment fragment;
  fragment.warpRows = rows;
  for (int top = 0; top < rows; top += kMmaRows)
    for (int left = 0; left < depth; left += kMmaDepth)
      for (int operand = 0; operand < 4; ++operand)
        for (int half = 0; half < 2; ++half)
          fragment.registers.push_back({top + 8 * (operand % 2), left + 8 * (operand / 2) + half});
  return fragment;
}

Fragment rows() {
  return rowsOf(accumulator(kMmaColumns));
}

Fragment columns(int columns) {
  return columnsOf(accumulator(columns));
}

Fragment striped(const Stripes &stripes, int rows, int columns) {
  Fragment fragment{.lane = {stripes.across, 1, stripes.across, stripes.vector},
                    .registers = {},
                    .warpRows = rows,
                    .run = stripes.vector};
  for (int row = 0; row < rows; row += stripes.down())
    for (int left = 0; left < columns; left += stripes.across * stripes.vector)
      for (int i = 0; i < stripes.vector; ++i)
        fragment.registers.push_back({row, left + i});
  return fragment;
}

Fragment rowsOf(const Fragment &tile) {
  Fragment fragment{.lane = tile.lane,
                    .registers = {},
                    .warpRows = tile.warpRows,
                    .run = 1,
                    .warpsAcross = tile.warpsAcross};
  fragment.lane.columnFactor = 0;
  for (Coordinate place : tile.registers)
    if (place.column == tile.registers[0].column)
      fragment.registers.push_back({place.row, 0});
  return fragment;
}

Fragment columnsOf(const Fragment &tile) {
  Fragment fragment{.lane = tile.lane,
                    .registers = {},
                    .warpRows = 0,
                    .run = tile.run,
                    .warpsAcross = tile.warpsAcross,
                    .warpColumns = tile.warpColumns};
  fragment.lane.rowFactor = 0;
  for (Coordinate place : tile.registers)
    if (place.row == tile.registers[0].row)
      fragment.registers.push_back({0, place.column});
  return fragment;
}

} // namespace sparsec::fragments
