// The last step for CPUs: a module of tile kernels becomes machine code.
//
//   tile.kernel @a  ->  LLVM IR  ->  object file  ->  shared object, linked in the process
//
// The shared object needs nothing, not even a C library. Beside `a` it has `a_info`, which says
// what a caller must bring (KernelInfo in codegen/Kernel.h).
#pragma once

#include "codegen/Kernel.h"

#include "mlir/IR/BuiltinOps.h"

namespace sparsec {

struct CpuCode {
  std::string llvmIr;       ///< after optimisation; only when asked for
  std::string assembly;     ///< likewise
  std::string object;       ///< bytes of the .o
  std::string sharedObject; ///< bytes of the .so
  int64_t scratchBytes = 0; ///< most of any kernel
  bool usesAmx = false;     ///< any of them
};

struct CpuEmitOptions {
  bool keepText = false; ///< LLVM IR and assembly instead of files
};

/// Emits, optimises, assembles and links. Re-entrant.
Result<CpuCode> emitCpu(mlir::ModuleOp module, const Target &target, CpuEmitOptions options = {});

} // namespace sparsec
