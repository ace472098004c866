// Attention backward as a request, one of its two passes over one head entry of a pattern:
//
//   pass      kernels      folds                          gives
//   Queries   delta, dq    rows of the layout             delta = rowsum(dout * out) - dlse;  dq
//   Keys      dkv          rows of the transposed layout  dk and dv of the kv heads that the entry's
//                                                         heads use
//
// Each pass has orders, a block, parts and launches of its own; Keys reads what Queries left in
// delta. Parts of a pass meet in f32 memory: dq by the role that is compiled in, dk and dv, which
// other entries may give to as well, by what each launch is told of its kv heads.
#pragma once

#include "kernel/Request.h"
#include "kernel/ops/Parts.h"
#include "layout/cost/Cost.h"

namespace sparsec {

struct AttentionBackwardRequest {
  static constexpr std::string_view kOperation = "backward";
  enum class Pass : uint8_t { Queries, Keys };

  std::string entry;
  Expr attend; ///< closed predicate
  Pass pass = Pass::Queries;
  OrderSpec queryOrder, keyOrder; ///< only their shapes are compiled in: sizes are arguments
  PartRole part;                  ///< of the pass over queries: only a first part leaves delta
  DType dtype = DType::BF16;
  int headDim = 64;  ///< multiples of 16, 16 .. 256
  int valueDim = 64; ///< likewise
  Block block;       ///< 0: the compiler's choice for the target
  Target target;
};

std::string_view name(AttentionBackwardRequest::Pass pass); ///< "queries", "keys"
Result<void> checkRequest(const AttentionBackwardRequest &request);
Needs needsOf(const AttentionBackwardRequest &request);
std::string describeRequest(const AttentionBackwardRequest &request);
std::string printRequest(const AttentionBackwardRequest &request);
CostShape costShape(const AttentionBackwardRequest &request, int64_t copies);

/// The requests of a way to compute a pass: `request` with each part's predicate, orders and role,
/// and a name of its own where there are several.
std::vector<AttentionBackwardRequest> kernelsOf(const AttentionBackwardRequest &request,
                                                const std::vector<Part> &parts, const Block &block);

} // namespace sparsec
