// Shared memory of attention kernels, and the block that fits. chooseBlock() itself is in Kernel.h.
#pragma once

#include "codegen/Kernel.h"

namespace sparsec {

/// Dynamic shared memory of the kernel with this block: q once, k and v twice (this block and the
/// next). What the passes allocate is the same number; a test holds them together.
int attentionSharedBytes(const KernelRequest &request, Block block);

} // namespace sparsec
