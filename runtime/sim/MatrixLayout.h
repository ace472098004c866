// Which element of a matrix each lane holds in which register: the tables of the PTX ISA ("Matrix
// Fragments for mma.m16n8k16", ...), written as the ISA writes them.
//
//   groupID = lane >> 2      tid = lane & 3      i = the lane's i-th element, low half first
//
// One mma.m16n8k16, C or D, lanes 0 to 3 and their elements:
//
//            column 0   1   2   3   4   5   6   7
//   row 0        T0:0 T0:1 T1:0 T1:1 T2:0 T2:1 T3:0 T3:1
//   row 8        T0:2 T0:3 T1:2 T1:3 T2:2 T2:3 T3:2 T3:3
#pragma once

#include <cstdint>

namespace sparsec::sim {

struct Position {
  int row, column;
  bool operator==(const Position &) const = default;
};

enum class MmaShape : uint8_t {
  K16,    ///< m16n8k16, .f16 and .bf16: A 8 elements a lane, B 4
  K8,     ///< m16n8k8, .f16 and .bf16: A 4, B 2
  K8Tf32, ///< m16n8k8, .tf32: A 4, B 2
  K4Tf32, ///< m16n8k4, .tf32: A 2, B 1
};

constexpr int depthOf(MmaShape shape) {
  return shape == MmaShape::K16 ? 16 : shape == MmaShape::K4Tf32 ? 4 : 8;
}
constexpr int elementsOfA(MmaShape shape) {
  return depthOf(shape) / 2;
}
constexpr int elementsOfB(MmaShape shape) {
  return depthOf(shape) / 4;
}

/// A is 16 x k.
constexpr Position positionInA(MmaShape shape, int lane, int i) {
  int groupID = lane >> 2, tid = lane & 3;
  switch (shape) {
  case MmaShape::K16:
    // row = groupID      for ai where 0 <= i < 2 || 4 <= i < 6
    //       groupID + 8  otherwise
    // col = (tid * 2) + (i & 0x1)      for ai where i < 4
    //       (tid * 2) + (i & 0x1) + 8  for ai where i >= 4
    return {i < 2 || (i >= 4 && i < 6) ? groupID : groupID + 8,
            tid * 2 + (i & 1) + (i >= 4 ? 8 : 0)};
  case MmaShape::K8:
    // row = groupID for ai where 0 <= i < 2, else groupID + 8;  col = tid * 2 + (i & 0x1)
    return {i < 2 ? groupID : groupID + 8, tid * 2 + (i & 1)};
  case MmaShape::K8Tf32:
    // row = groupID for a0 and a2, groupID + 8 for a1 and a3
    // col = tid for a0 and a1, tid + 4 for a2 and a3
    return {i == 0 || i == 2 ? groupID : groupID + 8, i < 2 ? tid : tid + 4};
  case MmaShape::K4Tf32:
    // row = groupID for a0, groupID + 8 for a1;  col = tid
    return {i == 0 ? groupID : groupID + 8, tid};
  }
  return {0, 0};
}

/// B is k x 8.
constexpr Position positionInB(MmaShape shape, int lane, int i) {
  int groupID = lane >> 2, tid = lane & 3;
  switch (shape) {
  case MmaShape::K16:
    // row = (tid * 2) + (i & 0x1)      for bi where i < 2
    //       (tid * 2) + (i & 0x1) + 8  for bi where i >= 2
    // col = groupID
    return {tid * 2 + (i & 1) + (i >= 2 ? 8 : 0), groupID};
  case MmaShape::K8:
    // row = (tid * 2) + i;  col = groupID
    return {tid * 2 + i, groupID};
  case MmaShape::K8Tf32:
    // row = tid for b0, tid + 4 for b1;  col = groupID
    return {i == 0 ? tid : tid + 4, groupID};
  case MmaShape::K4Tf32:
    // row = tid;  col = groupID
    return {tid, groupID};
  }
  return {0, 0};
}

/// C and D are 16 x 8, of every shape above.
constexpr Position positionInC(int lane, int i) {
  // row = groupID for ci where i < 2, groupID + 8 for ci where i >= 2
  // col = (tid * 2) + (i & 0x1)
  int groupID = lane >> 2, tid = lane & 3;
  return {i < 2 ? groupID : groupID + 8, tid * 2 + (i & 1)};
}

/// ldmatrix and stmatrix: element i (0 or 1) of the register of one 8x8 matrix.
/// Row r of matrix m is at the address of lane 8 m + r.
constexpr Position positionInTile(bool transposed, int lane, int i) {
  Position straight = {lane / 4, lane % 4 * 2 + i};
  return transposed ? Position{straight.column, straight.row} : straight;
}

} // namespace sparsec::sim
