// Which thread of a warp holds which element of a tile: the register maps of the mma instructions,
// as data. What a warp holds of wgmma's accumulator and of its left operand in registers is the
// same.
//
//   accumulator of mma.m16n8k16 (16 x 8, f32): lane l, register i       columns 0 1 2 3 4 5 6 7
//     row    = l / 4         + 8 * (i / 2)                       row 0   lane   0 0 1 1 2 2 3 3
//     column = 2 * (l % 4)   + i % 2                             row 1          4 4 5 5 6 6 7 7
//                                                                ...            (i = 0 1 0 1 ...)
//                                                                row 8          0 0 1 1 2 2 3 3
//                                                                               (i = 2 3 2 3 ...)
//
// Every map is a sum: coordinate(lane, i) = lane part + register part. The lane part is computed
// once per thread; the register part is a constant, so it becomes an immediate offset, a shuffle
// mask or nothing. A warp's part that is wider than one instruction repeats it to the right, one of
// more than 16 rows does so and then once more below. Warps stand below each other, or in rows:
//
//   4 warps of 32 x 64 in a tile of 128 x 64    4 warps of 64 x 64, 2 across, in one of 128 x 128
//     warp 0                                      warp 0   warp 1
//     warp 1                                      warp 2   warp 3
//     ...
//
// Kernels without products hold their tiles in stripes instead: whole rows in a warp, and what a
// thread has of a row in runs that are one access to memory each.
//
//   stripes across 32 lanes of vectors of 8: columns 0..7   8..15  ...  248..255  256..263  ...
//                                            lane 0         1           31        0
#pragma once

#include <vector>

namespace sparsec::fragments {

struct Coordinate {
  int row = 0, column = 0;
  bool operator==(const Coordinate &) const = default;
  Coordinate operator+(const Coordinate &other) const {
    return {row + other.row, column + other.column};
  }
};

/// The lane part: row = lane / rowDivisor * rowFactor, column = lane % columnModulus *
/// columnFactor; an axis that a map does not have has factor 0.
struct LaneMap {
  int rowDivisor = 4, rowFactor = 1;
  int columnModulus = 4, columnFactor = 2;
  bool operator==(const LaneMap &) const = default;
  Coordinate operator()(int lane) const {
    return {lane / rowDivisor * rowFactor, lane % columnModulus * columnFactor};
  }
};

/// What one warp holds of a tile; that of warp w begins at row w / warpsAcross * warpRows and at
/// column w % warpsAcross * warpColumns.
struct Fragment {
  LaneMap lane;
  std::vector<Coordinate> registers; ///< in the order of the thread's vector
  int warpRows = 16;
  int run = 2; ///< registers run, 2 run, ... begin a run of `run` neighbouring columns
  int warpsAcross = 1;
  int warpColumns = 0; ///< 0 where all warps begin at the first
  Coordinate at(int laneId, int index) const { return lane(laneId) + registers[index]; }
};

/// The extents of one m16n8k16 product. A warp's part of a tile has the rows of one, two or four.
inline constexpr int kMmaRows = 16;
inline constexpr int kMmaColumns = 8;
inline constexpr int kMmaDepth = 16;

/// Depth that one chain of mma sums up. The tensor cores round each sum towards zero, so errors add
/// up along a chain: on an H200 they show in the LSE of f16 from head dim 128 on and of bf16, whose
/// products have fewer bits, at 256. Chains are added by rounded additions, in registers of their
/// own.
constexpr int chainDepth(bool f16) {
  return f16 ? 64 : 128;
}

/// C and D: rows x columns (a multiple of 8); registers run through the instructions left to right,
/// then down. rows: 16, 32 or 64 of each warp; columns of all `across` warps.
Fragment accumulator(int columns, int rows = kMmaRows, int across = 1);
/// A, 16-bit elements: rows x depth (a multiple of 16). Register pairs are the instruction's .b32
/// operands.
Fragment lhs(int depth, int rows = kMmaRows);
/// The rows of an accumulator, for one value per row: two a thread, equal within a quad.
Fragment rows();
/// The columns of an accumulator, for one value per column: equal in all lanes of equal lane % 4.
Fragment columns(int columns);

/// `across` lanes along a row, a power of two, each with runs of `vector` columns.
struct Stripes {
  int across = 32, vector = 8;
  int down() const { return 32 / across; } ///< rows that a warp's lanes hold at a time
};
/// rows: of a warp, a multiple of down(); columns: a multiple of across * vector.
Fragment striped(const Stripes &stripes, int rows, int columns);

/// One value per row of what `tile` holds, equal in all lanes along a row; one per column.
Fragment rowsOf(const Fragment &tile);
Fragment columnsOf(const Fragment &tile);

} // namespace sparsec::fragments
