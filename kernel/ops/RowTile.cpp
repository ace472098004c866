#include "kernel/ops/RowTile.h"

#include <fmt/core.h>

namespace sparsec {

RowTile rowTile(int64_t width, const Target &target) {
  bool gpu = target.kind() == TargetKind::Gpu;
  int64_t most = gpu ? 128 : 512;
  int64_t columns = (width + 15) / 16 * 16;
  return {.rows = 16, .columns = static_cast<int>(std::min(columns, most))};
}

Result<void> checkRowWidth(int64_t width) {
  if (width >= 1 && width <= kMostRowWidth)
    return {};
  return inputError(
      fmt::format("expected rows of 1 to {} columns, found {}", kMostRowWidth, width));
}

} // namespace sparsec
