// Block sums of attention weights as a request: of every block that the predicate leaves anything
// of, the sum of p = exp(s - lse) over its pairs that attend, and that of p^2.
//
//   causal, equal scores, blocks of 2 x 2      p                   mass         squares
//                                              1                   2.00   .     1.50   .
//                                              1/2 1/2             1.17 0.83    0.35 0.24
//                                              1/3 1/3 1/3
//                                              1/4 1/4 1/4 1/4
//
// The lse is given: that of another predicate tells what share of its attention lies inside this
// one. Natural order: blocks are squares of a picture.
#pragma once

#include "kernel/Request.h"
#include "patterns/Pattern.h"

namespace sparsec {

struct AttentionMassRequest {
  static constexpr std::string_view kOperation = "mass";
  std::string entry;
  Expr attend; ///< closed predicate
  DType dtype = DType::BF16;
  int headDim = 64; ///< a multiple of 16, 16 .. 256
  Block block;      ///< 0: the compiler's choice for the target
  Target target;
};

Result<void> checkRequest(const AttentionMassRequest &request);
Needs needsOf(const AttentionMassRequest &request);
std::string describeRequest(const AttentionMassRequest &request);
std::string printRequest(const AttentionMassRequest &request);

} // namespace sparsec
