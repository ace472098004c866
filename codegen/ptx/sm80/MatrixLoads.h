// The right operand of mma.m16n8k16, and how ldmatrix brings both operands out of shared memory
// into the registers that the product takes them from.
//
//   ldmatrix.x4 reads four 8 x 8 matrices of a 16 x 16 area; lanes 8 m .. 8 m + 7 point at the rows
//   of matrix m, and every lane gets a pair of each:
//
//     down     0 2      A of [row][depth]; transposed, B of [depth][column]
//              1 3
//     right    0 1      B of [column][depth]
//              2 3
#pragma once

#include "codegen/ptx/Fragments.h"

namespace sparsec::fragments {

/// B, 16-bit elements, as (row = k, column = n) of one instruction: 16 x 8.
struct RhsFragment {
  /// Element `index` (0..3) of a lane: pairs are the instruction's two .b32 operands.
  static Coordinate at(int lane, int index) {
    return {2 * (lane % 4) + 8 * (index / 2) + index % 2, lane / 4};
  }
};

/// ldmatrix.x4: the 16-byte row that each lane points at, in a 16 x 16 area of 16-bit elements:
/// (row, chunk of 8 elements). Matrix m is pointed at by lanes 8 m .. 8 m + 7.
struct MatrixRow {
  int row = 0, chunk = 0;
};
/// Areas stored [row][depth] read as A, and areas stored [depth][column] read transposed as the B
/// of two neighbouring instructions: matrices go down first, then right.
inline MatrixRow matrixRowsDown(int lane) {
  return {lane % 16, lane / 16};
}
/// Areas stored [column][depth] read as the B of two neighbouring instructions: right first.
inline MatrixRow matrixRowsRight(int lane) {
  return {lane % 8 + lane / 16 * 8, lane / 8 % 2};
}

/// What ldmatrix gives: element `half` of register `matrix` of a lane, as (row, column) within that
/// 8 x 8 matrix.
inline Coordinate matrixElement(int lane, int half) {
  return {lane / 4, 2 * (lane % 4) + half};
}
inline Coordinate matrixElementTransposed(int lane, int half) {
  return {2 * (lane % 4) + half, lane / 4};
}

} // namespace sparsec::fragments
