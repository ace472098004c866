// The compiler as one list of passes.
#pragma once

#include "mlir/Pass/PassManager.h"

namespace sparsec {

/// Whole operations to tile programs without predicates. Of a GPU full blocks have a loop of their
/// own; a CPU's loop tells them from partial ones as it runs, in half the code.
void addTilePasses(mlir::OpPassManager &passes);
void addCpuTilePasses(mlir::OpPassManager &passes);
/// Tile programs to blocks of warps.
void addWarpPasses(mlir::OpPassManager &passes);
/// Blocks of warps to the llvm and nvvm dialects.
void addLlvmPasses(mlir::OpPassManager &passes);

/// For sparsec-opt: a flag for every pass of ours and of MLIR's own transforms, and the lists above
/// as --tile-pipeline, --cpu-tile-pipeline, --warp-pipeline and --llvm-pipeline.
void registerAllPasses();

/// Every dialect that a stage of the compiler is written in.
void registerCompilerDialects(mlir::DialectRegistry &registry);

} // namespace sparsec
