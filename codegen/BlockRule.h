// What a back end says of blocks, the part of it that needs no MLIR.
#pragma once

#include "kernel/Kernel.h"
#include "kernel/Needs.h"

namespace sparsec {

struct BlockRule {
  /// Rows and columns that are given stay.
  Result<Block> (*choose)(const Needs &needs, const Target &target, Block given);
  /// Blocks that the cost model may weigh beside the chosen one.
  std::vector<Block> (*others)(Block chosen);
  bool (*takesRowForms)(const Needs &needs);
};

namespace sm80 {
extern const BlockRule kBlocks;
/// Dynamic shared memory of a kernel with this block: what is fetched twice (this block's and the
/// next one's), then what is resident. What the passes allocate is the same number; a test holds
/// them together.
int sharedBytes(const Needs &needs, Block block);
} // namespace sm80
namespace cpu {
extern const BlockRule kBlocks;
}

} // namespace sparsec
