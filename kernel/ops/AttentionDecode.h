// Attention of a few new queries over cached keys and values as a request: what a model does for
// each token that it generates.
//
//   out = softmax(scale q k^T, where the pattern attends) v,  of queries at the last 1 to 16
//   positions of sequences that differ in length
//
// The keys that a query may see follow from its position alone: the blocks of each position are
// listed once, for the greatest length there will be. So a predicate that mentions n or nq is
// refused, and so is one by which a query sees a later key. Keys are taken in their order; queries
// one by one, so that nothing is read that only a neighbour sees.
#pragma once

#include "kernel/Request.h"
#include "kernel/ops/Parts.h"
#include "layout/HeadTables.h"
#include "layout/cost/Cost.h"

namespace sparsec {

struct AttentionDecodeRequest {
  static constexpr std::string_view kOperation = "decode";
  static constexpr bool kOneByOne = true; ///< queries: codegen/ChooseSchedule.h
  static constexpr int kRows = 16;        ///< heads of a group that one work item takes
  static constexpr int kMostQueries = 16;

  std::string entry;    ///< symbol of the kernel
  Expr attend;          ///< closed predicate, of the part
  OrderSpec queryOrder; ///< natural
  OrderSpec keyOrder;   ///< only its shape is compiled in
  PartRole part;        ///< the last one has the kernel that merges what all have left
  DType dtype = DType::BF16;
  int headDim = 64;         ///< multiples of 16, 16 .. 256
  int valueDim = 64;        ///< likewise
  Block block = {kRows, 0}; ///< k 0: the compiler's choice for the target
  Target target;
};

Result<void> checkRequest(const AttentionDecodeRequest &request);
Needs needsOf(const AttentionDecodeRequest &request);
std::string describeRequest(const AttentionDecodeRequest &request);
std::string printRequest(const AttentionDecodeRequest &request);

CostShape costShape(const AttentionDecodeRequest &request, int64_t copies);
std::vector<AttentionDecodeRequest> kernelsOf(const AttentionDecodeRequest &request,
                                              const std::vector<Part> &parts, const Block &block);

/// The refusals above, of a sequence of `length`; `heads`: the model's that use the predicate.
Result<void> checkDecodable(const Expr &attend, int64_t length, const Heads &heads);

} // namespace sparsec
