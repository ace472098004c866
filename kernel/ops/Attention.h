// Attention forward as a request: out = softmax(scale q k^T, where the pattern attends) v of one
// head entry of a pattern, or of one part of it.
#pragma once

#include "kernel/Request.h"
#include "kernel/ops/Parts.h"
#include "layout/cost/Cost.h"

namespace sparsec {

struct AttentionRequest {
  static constexpr std::string_view kOperation = "forward";
  std::string entry;              ///< symbol of the kernel
  Expr attend;                    ///< closed predicate, of the part
  OrderSpec queryOrder, keyOrder; ///< only their shapes are compiled in: sizes are arguments
  PartRole part;
  DType dtype = DType::BF16;
  int headDim = 64;  ///< multiples of 16, 16 .. 256
  int valueDim = 64; ///< likewise
  Block block;       ///< 0: the compiler's choice for the target
  Target target;

  /// Whether heads differ: the predicate mentions h.
  bool usesHead() const { return mentions(attend, Op::Head); }
};

Result<void> checkRequest(const AttentionRequest &request);
Needs needsOf(const AttentionRequest &request);
std::string describeRequest(const AttentionRequest &request);
std::string printRequest(const AttentionRequest &request);

CostShape costShape(const AttentionRequest &request, int64_t copies);

/// The kernels of a way to compute a head: `request` with each part's predicate, orders and role,
/// and a name of its own where there are several.
std::vector<AttentionRequest> kernelsOf(const AttentionRequest &request,
                                        const std::vector<Part> &parts, const Block &block);

} // namespace sparsec
