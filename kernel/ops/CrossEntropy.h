// Softmax cross-entropy of each row of logits against its target, fused with its gradient:
//
//   loss = log(sum exp x) - x[target], in nats       dlogits = (softmax(x) - onehot(target)) scale
//
// A row whose target is negative has loss 0 and gradient 0. Two kernels: the rows, and `_sum`,
// which adds the losses up in a fixed order and scales them: a mean by 1 / rows.
#pragma once

#include "kernel/Request.h"
#include "kernel/ops/RowTile.h"

namespace sparsec {

struct CrossEntropyRequest {
  static constexpr std::string_view kOperation = "cross_entropy";
  std::string entry;
  int64_t columns = 0;       ///< classes
  DType dtype = DType::BF16; ///< of logits and dlogits
  bool gradient = true;      ///< else losses alone: evaluation
  bool lossScale = false;    ///< dlogits are multiplied with a number in device memory too
  int targetBytes = 4;       ///< 4: i32; 1: unsigned, so that every row counts
  Block block;               ///< always 0
  Target target;
  RowTile tile() const { return rowTile(columns, target); }
};

Result<void> checkRequest(const CrossEntropyRequest &request);
Needs needsOf(const CrossEntropyRequest &request);
std::string describeRequest(const CrossEntropyRequest &request);
std::string printRequest(const CrossEntropyRequest &request);

} // namespace sparsec
