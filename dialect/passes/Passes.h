// The target-free passes; passes/Passes.td says what each does.
#pragma once

#include "mlir/Pass/Pass.h"

namespace sparsec {

#define GEN_PASS_DECL
#include "dialect/passes/Passes.h.inc"

/// Makes the passes above known to a command line (sparsec-opt).
void registerPasses();

} // namespace sparsec
