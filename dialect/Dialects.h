// What the target-free half of the compiler registers: its dialects and its passes.
#pragma once

namespace mlir {
class DialectRegistry;
}

namespace sparsec {

/// `sparsec`, `tile` and the dialects their programs are written with.
void registerDialects(mlir::DialectRegistry &registry);

} // namespace sparsec
