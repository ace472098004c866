#include "codegen/ptx/Fragments.h"

namespace sparsec::fragments {

Fragment accumulator(int columns) {
  Fragment fragment;
  for (int left = 0; left < columns; left += kMmaColumns)
    for (int i = 0; i < 4; ++i)
      fragment.registers.push_back({8 * (i / 2), left + i % 2});
  return fragment;
}

Fragment lhs(int depth) {
  Fragment fragment;
  for (int left = 0; left < depth; left += kMmaDepth)
    for (int operand = 0; operand < 4; ++operand)
      for (int half = 0; half < 2; ++half)
        fragment.registers.push_back({8 * (operand % 2), left + 8 * (operand / 2) + half});
  return fragment;
}

Fragment rows() {
  Fragment fragment;
  fragment.lane.columnFactor = 0;
  fragment.registers = {{0, 0}, {8, 0}};
  return fragment;
}

Fragment columns(int columns) {
  Fragment fragment;
  fragment.lane.rowFactor = 0;
  for (int left = 0; left < columns; left += kMmaColumns)
    for (int half = 0; half < 2; ++half)
      fragment.registers.push_back({0, left + half});
  return fragment;
}

} // namespace sparsec::fragments
