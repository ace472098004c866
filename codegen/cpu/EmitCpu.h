// The last step for CPUs: a module of tile kernels becomes machine code.
//
//   tile.kernel @a  ->  plan  ->  LLVM IR  ->  object file  ->  shared object, linked in the process
//
// The shared object needs nothing, not even a C library. Beside `a` it has `a_info`, which says
// what a caller must bring (KernelInfo in kernel/CpuCall.h).
#pragma once

#include "codegen/Backend.h"

namespace sparsec {

/// Emits, optimises, assembles and links. `keep`: "plan", what was decided (plan/Plan.h),
/// "llvm", the LLVM IR after optimisation, or "asm". Re-entrant.
Result<Emitted> emitCpu(mlir::ModuleOp module, const Target &target, std::string_view keep);

} // namespace sparsec
