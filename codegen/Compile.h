// Kernels from tile programs written by hand: how tests reach the lowering without a pattern.
#pragma once

#include "codegen/Kernel.h"

namespace sparsec {

/// Compiles the tile.kernel `request.entry` of a module in text; the predicate and the block of the
/// request are not looked at. An error points into the text.
Result<Kernel> compileTileProgram(const std::string &text, const KernelRequest &request);

} // namespace sparsec
