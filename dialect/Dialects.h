// The dialects of the target-free half of the compiler. Its passes: passes/Passes.h.
#pragma once

namespace mlir {
class DialectRegistry;
}

namespace sparsec {

/// `sparsec`, `tile` and the dialects their programs are written with.
void registerDialects(mlir::DialectRegistry &registry);

} // namespace sparsec
