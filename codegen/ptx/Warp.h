// The `warp` dialect in C++: a kernel as a block of warps sees it.
//
//   %ks = warp.alloc at 8192 : !warp.buffer<64x64xbf16, stages = 2, pitch = 128, swizzle>
//   scf.for %x = %begin to %end iter_args(%stage = ..., %o = ...) {
//     warp.wait 0
//     warp.barrier                             // block %x is in shared memory, all threads see it
//     scf.if %more { warp.copy %k[...] to %ks[next stage] }
//     warp.commit
//     %s = warp.mma %q, %k_now, %zero rhs_t    // tensor<64x64xf32, #warp.accumulator<warps = 4>>
//     ...
//
// Warp.td says what each op means and what its verifier refuses.
#pragma once

#include "codegen/ptx/Fragments.h"
#include "codegen/ptx/SharedRows.h"
#include "dialect/Tile.h"

#include "codegen/ptx/WarpDialect.h.inc"
#include "codegen/ptx/WarpEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "codegen/ptx/WarpAttrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "codegen/ptx/WarpTypes.h.inc"

#define GET_OP_CLASSES
#include "codegen/ptx/WarpOps.h.inc"

namespace sparsec::warp {

/// Attributes of a tile.kernel that became a block of warps.
inline constexpr llvm::StringLiteral kWarpsAttr = "warp.warps";
inline constexpr llvm::StringLiteral kSharedBytesAttr = "warp.shared_bytes";

/// Attribute of a tile.reduce that crosses warps: where the kernel's scratch for that lies.
inline constexpr llvm::StringLiteral kScratchAttr = "warp.scratch";
/// Beside it, where nothing was exchanged before.
inline constexpr llvm::StringLiteral kFirstAttr = "warp.first";
/// The bytes that it needs there; 0 where it does not cross warps.
int scratchBytes(tile::ReduceOp reduce);

/// How many elements of the tensor one thread holds; its type is vector<that many x element>.
int elementsPerThread(mlir::RankedTensorType type);
/// What a thread holds of a tensor of one of our encodings.
fragments::Fragment fragmentOf(mlir::RankedTensorType type);
/// Rows that each warp has of an accumulator or left operand.
int rowsPerWarp(mlir::Attribute encoding);
/// Warps that share the rows of an accumulator; 1 for other encodings.
int warpsAcross(mlir::Attribute encoding);
/// Warps that share a tensor of this encoding; 0 for an encoding that is not ours.
int warps(mlir::Attribute encoding);

} // namespace sparsec::warp
