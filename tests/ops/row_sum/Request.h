// A scaled row sum as a request: y[b, h, row] = scale * sum_c x[b, h, row, c], in f32.
#pragma once

#include "kernel/Request.h"

namespace sparsec {

struct RowSumRequest {
  static constexpr std::string_view kOperation = "row_sum";
  static constexpr int kTile = 64; ///< rows of an item
  std::string entry;               ///< symbol of the kernel
  int columns = 64;                ///< a multiple of 16, 16 .. 256
  Block block;                     ///< always 0: there are no blocks
  Target target;
};

Result<void> checkRequest(const RowSumRequest &request);
Needs needsOf(const RowSumRequest &request);
std::string describeRequest(const RowSumRequest &request);
std::string printRequest(const RowSumRequest &request);

} // namespace sparsec
