// The last step: a module of the llvm and nvvm dialects becomes PTX text.
#pragma once

#include "codegen/Kernel.h"

#include "mlir/IR/BuiltinOps.h"

namespace sparsec {

/// What the module became: LLVM IR after optimisation, and PTX.
struct EmittedCode {
  std::string llvmIr; ///< only when asked for
  std::string ptx;
};

struct EmitOptions {
  bool keepLlvmIr = false;
};

/// Translates, optimises and prints. Re-entrant; equal modules give equal text.
Result<EmittedCode> emitPtx(mlir::ModuleOp module, const Target &target, EmitOptions options = {});

} // namespace sparsec
