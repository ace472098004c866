// The operations of MLIR's nvvm dialect that lowering emits, one function each.
//
// They are made by name, from attributes as text: the dialect's header alone takes as long to
// compile as all others that a file here includes. A wrong name or attribute is an op that does not
// verify, in every test.
#pragma once

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace sparsec::nvvm {

/// The dialect, and its translation to LLVM IR.
void registerDialect(mlir::DialectRegistry &registry);
inline constexpr llvm::StringLiteral kDialect = "nvvm";

/// Marks a kernel with its threads a block, and its one argument as constant.
void markKernel(mlir::LLVM::LLVMFuncOp function, int threads);

enum class Axis { X, Y, Z };
mlir::Value threadIndex(mlir::ImplicitLocOpBuilder &emit); ///< along x, as all below: i32
mlir::Value blockIndex(mlir::ImplicitLocOpBuilder &emit, Axis axis);
mlir::Value gridSize(mlir::ImplicitLocOpBuilder &emit); ///< along x

/// cp.async of `bytes`, 16 (past the first cache) or 4, of which the last `bytes` - `valid` are
/// zeros. valid: i32, or null for all.
void copyAsync(mlir::ImplicitLocOpBuilder &emit, mlir::Value shared, mlir::Value global,
               mlir::Value valid, int bytes = 16);
void commitCopies(mlir::ImplicitLocOpBuilder &emit);
/// Waits until at most `pending` groups of copies are in flight.
void waitForCopies(mlir::ImplicitLocOpBuilder &emit, int pending);
/// bar.sync 0
void barrier(mlir::ImplicitLocOpBuilder &emit);

/// ldmatrix.x4: a struct of four i32.
mlir::Value loadMatrices(mlir::ImplicitLocOpBuilder &emit, mlir::Value address, bool transposed);
/// mma.m16n8k16 of f16 (vectors of two) or bf16 (pairs in i32): a struct of four f32.
mlir::Value multiplyMatrices(mlir::ImplicitLocOpBuilder &emit, mlir::ValueRange a,
                             mlir::ValueRange b, mlir::ValueRange sums, bool half);

/// shfl.sync of all lanes. `lane` is an index with idx, a mask with bfly; `bounds` the
/// instruction's c: the segments' mask and the last lane.
enum class Shuffle { Index, Xor };
mlir::Value shuffle(mlir::ImplicitLocOpBuilder &emit, Shuffle kind, mlir::Value value,
                    mlir::Value lane, int bounds);

} // namespace sparsec::nvvm
