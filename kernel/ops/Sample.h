// Sampling from rows of logits as a request: of each row the class
//
//   token = first t with sum over j <= t of e[j] > u * sum of all e,   e = exp((x - max) / T)
//
// with one uniform number u in [0, 1) a row: uniformOf(randomBits(seed, row, 0)) of
// kernel/Random.h. The token is found by halving, and every sum is added up in the same order, so
// sums never fall as more is added and no class of probability 0 is drawn. Temperature 0 takes the
// largest logit.
#pragma once

#include "kernel/Request.h"
#include "kernel/ops/RowTile.h"

namespace sparsec {

struct SampleRequest {
  static constexpr std::string_view kOperation = "sample";
  std::string entry;
  int64_t columns = 0;       ///< classes
  DType dtype = DType::BF16; ///< of the logits
  Block block;               ///< always 0
  Target target;
  RowTile tile() const { return rowTile(columns, target); }
};

Result<void> checkRequest(const SampleRequest &request);
Needs needsOf(const SampleRequest &request);
std::string describeRequest(const SampleRequest &request);
std::string printRequest(const SampleRequest &request);

} // namespace sparsec
