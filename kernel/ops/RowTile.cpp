#include "kernel/ops/RowTile.h"

#include <fmt/core.h>

namespace sparsec {

RowTile rowTile(int64_t width, const Target &target) {
  bool gpu = target.kind() == TargetKind::Gpu;
  int64_t most = gpu ? 512 : 1024;
  int64_t tiles = (width + most - 1) / most;
  // Tiles that divide the width need no masks. Else on a CPU as many columns as four vectors have,
  // again and again; and on a GPU what fills the lanes of a warp, where there is more than that.
  bool few = gpu ? width <= 128 : width < 64;
  int64_t unit = few || width % (16 * tiles) == 0 ? 16 : gpu ? 128 : 64;
  int64_t each = (width + tiles - 1) / tiles;
  // Of a GPU's wide tiles a block of threads is half as large, so that two share a multiprocessor
  // and one loads while the other adds up.
  int64_t columns = (each + unit - 1) / unit * unit;
  constexpr int64_t kOfFewRows = 32; // columns that such a tile is a multiple of: a warp has 8 rows
  return {.rows = gpu && width > 128 && columns % kOfFewRows == 0 ? 8 : 16,
          .columns = static_cast<int>(columns)};
}

Result<void> checkRowWidth(int64_t width) {
  if (width >= 1 && width <= kMostRowWidth)
    return {};
  return inputError(
      fmt::format("expected rows of 1 to {} columns, found {}", kMostRowWidth, width));
}

} // namespace sparsec
