#include "runtime/Launch.h"

namespace sparsec {

LaunchShape launchShape(const Kernel &kernel, int64_t items, int64_t heads, int64_t batch) {
  int64_t y = (heads + kernel.grid.headsPerY - 1) / kernel.grid.headsPerY;
  return {
      .grid = {static_cast<uint32_t>(items), static_cast<uint32_t>(y),
               static_cast<uint32_t>(batch)},
      .block = {static_cast<uint32_t>(kernel.threads), 1, 1},
      .sharedBytes = static_cast<uint32_t>(kernel.sharedBytes),
  };
}

LaunchShape launchShape(const Kernel &kernel, int64_t items, int64_t heads, int64_t batch,
                        int64_t liveBlocks) {
  LaunchShape shape = launchShape(kernel, items, heads, batch);
  int64_t pairs = 0; // of more than 64 bits nobody needs to know
  if (!__builtin_mul_overflow(liveBlocks, kernel.block.q * kernel.block.k * batch, &pairs))
    shape.pairs = pairs;
  return shape;
}

} // namespace sparsec
