// The tile of a row operation: rows of a work item, and columns that are taken at once.
//
//   width 1000, cpu         [16, 1024], of which 1000 columns exist
//   width 4096, cpu         [16, 1024] four times
//   width 512, a GPU        [8, 512], 16 elements a thread: a row is read once
//   width 1000, a GPU       [8, 512] twice
#pragma once

#include "kernel/Target.h"

namespace sparsec {

struct RowTile {
  int rows = 16, columns = 64;
};

RowTile rowTile(int64_t width, const Target &target);

inline constexpr int64_t kMostRowWidth = 1 << 20;
/// Refuses widths below 1 and above kMostRowWidth.
Result<void> checkRowWidth(int64_t width);

} // namespace sparsec
