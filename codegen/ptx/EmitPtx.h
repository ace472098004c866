// The last step: a module of the llvm and nvvm dialects becomes PTX text.
#pragma once

#include "codegen/Backend.h"

namespace sparsec {

/// Translates, optimises and prints. `keep`: "llvm", the LLVM IR after optimisation, or "ptx".
/// Re-entrant; equal modules give equal text.
Result<Emitted> emitPtx(mlir::ModuleOp module, const Target &target, std::string_view keep);

} // namespace sparsec
