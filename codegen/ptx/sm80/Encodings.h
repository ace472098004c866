// How the threads of a kernel share its tiles: one way for all of them.
//
//   kernels with products       accumulators: 16 rows a warp, as mma.sync leaves them, or 32 where
//                               a thread has registers for twice as many, and all columns: each
//                               warp reads the right operands from shared memory, which limits
//                               products of 16 rows. Where both operands are read from there, up
//                               to 64 x 64 a warp: what it reads of either then serves all of its
//                               part of the other
//   those without               stripes: whole rows in a warp, in runs of 16 bytes
//
// Vectors belong to the rows or to the columns of such a tile.
#pragma once

#include "codegen/ptx/Warp.h"

namespace sparsec::sm80 {

struct Encodings {
  mlir::Attribute tile;
  warp::LhsAttr lhs; ///< of left operands in registers
  warp::SliceAttr rows, columns;
  int warps = 0;
  int64_t tileRows = 0; ///< of every tile in registers

  /// Of a vector that is stored or reduced: the axis that it was reduced to; where there is none,
  /// that of its size.
  warp::SliceAttr ofVector(mlir::Value vector) const;
};

/// Error: tiles that no encoding fits all of.
mlir::FailureOr<Encodings> chooseEncodings(tile::KernelOp kernel);

} // namespace sparsec::sm80
