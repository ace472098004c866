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
#include "layout/HeadTables.h"
#include "layout/cost/Cost.h"
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
CostShape costShape(const AttentionMassRequest &request, int64_t copies);

/// A block that is summed: three integers of the kernel's `blocks`.
struct MassBlock {
  int32_t head = 0; ///< of the model
  int32_t row = 0;  ///< of blocks: queries row * block.q ..
  int32_t column = 0;
  bool operator==(const MassBlock &) const = default;
};

/// The live blocks of one batch: head after head, row after row, columns rising. The sizes' block
/// and h are not used. Error: a layout that does not fit, more blocks than 32 bits count.
Result<std::vector<MassBlock>> massBlocks(const AttentionMassRequest &request, LayoutRequest sizes,
                                          const Heads &heads);

} // namespace sparsec
