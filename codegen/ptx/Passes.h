// The passes of codegen/ptx/, each alone in a file of its name, here or in its path's folder.
// Passes.td says what each does.
#pragma once

#include "dialect/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Pass/Pass.h"

namespace sparsec {

#define GEN_PASS_DECL
/// registerCodegenPasses(): a flag for each pass.
#define GEN_PASS_REGISTRATION
#include "codegen/ptx/Passes.h.inc"

} // namespace sparsec
