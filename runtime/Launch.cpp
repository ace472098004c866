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

} // namespace sparsec
