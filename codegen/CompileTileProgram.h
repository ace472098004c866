// Kernels from tile programs written by hand: how tests reach the lowering without an operation.
#pragma once

#include "kernel/Kernel.h"

namespace sparsec {

/// Compiles the only tile.kernel `entry` of a module in text. An error points into the text.
Result<Kernel> compileTileProgram(const std::string &text, const std::string &entry,
                                  const Target &target);

} // namespace sparsec
