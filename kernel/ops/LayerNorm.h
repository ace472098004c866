// Layer norm of each row as requests, forward and backward:
//
//   forward     y = (x - mean) rstd gain + bias       mean, rstd = 1 / sqrt(variance + epsilon)
//   backward    with g = dy gain, u = (x - mean) rstd and means over the row:
//               dx = rstd (g - mean(g) - u mean(g u)) [+ dresidual]
//               dgain = sum over rows of dy u         dbias = sum over rows of dy
//
// The variance is the mean square of centred values. mean, rstd, gain, bias, dgain and dbias are
// f32. Backward has two kernels: dx, which leaves a partial sum of dgain and dbias for each of its
// tiles of rows, and the fold of those in the order of the rows.
#pragma once

#include "kernel/Request.h"
#include "kernel/ops/RowTile.h"

namespace sparsec {

struct LayerNormRequest {
  static constexpr std::string_view kOperation = "layer_norm";
  std::string entry;
  int64_t columns = 0;       ///< of a row
  DType stream = DType::F32; ///< of x, dx and dresidual
  DType dtype = DType::BF16; ///< of y and dy
  Block block;               ///< always 0
  Target target;
  RowTile tile() const { return rowTile(columns, target); }
  RowTile sumsTile() const; ///< of parts of dgain and dbias
};

struct LayerNormBackwardRequest : LayerNormRequest {
  static constexpr std::string_view kOperation = "layer_norm_backward";
};

Result<void> checkRequest(const LayerNormRequest &request);
Needs needsOf(const LayerNormRequest &request);
std::string describeRequest(const LayerNormRequest &request);
std::string describeRequest(const LayerNormBackwardRequest &request);
std::string printRequest(const LayerNormRequest &request);

} // namespace sparsec
