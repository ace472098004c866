#include "kernel/ops/AttentionDecode.h"

#include "kernel/ops/Attention.h"
#include "layout/OrderNumbers.h"

#include <fmt/core.h>

namespace sparsec {
namespace {

AttentionRequest forwardOf(const AttentionDecodeRequest &request) {
  return {.entry = request.entry,
          .attend = request.attend,
          .keyOrder = request.keyOrder,
          .part = request.part,
          .dtype = request.dtype,
          .headDim = request.headDim,
          .valueDim = request.valueDim,
          .block = request.block,
          .target = request.target};
}

Result<void> refuseLengths(const Expr &attend) {
  if (!mentions(attend, Op::Keys) && !mentions(attend, Op::Queries))
    return {};
  return inputError("decode: expected a predicate that mentions neither n nor nq: what a query "
                    "sees may not change while its sequence grows",
                    attend->where);
}

} // namespace

Result<void> checkRequest(const AttentionDecodeRequest &request) {
  if (Result<void> ok = checkRequest(forwardOf(request)); !ok)
    return ok;
  if (Result<void> ok = refuseLengths(request.attend); !ok)
    return ok;
  if (request.block.q == AttentionDecodeRequest::kRows)
    return {};
  return inputError(
      fmt::format("decode: expected blocks of {} rows, the heads that a work item takes, found {}",
                  AttentionDecodeRequest::kRows, request.block.q));
}

Needs needsOf(const AttentionDecodeRequest &request) {
  return needsOf(forwardOf(request));
}

std::string describeRequest(const AttentionDecodeRequest &request) {
  std::string text = fmt::format(
      "attention of new queries, {}, head dim {}, value dim {}, blocks of {} keys\nattend: {}\n",
      name(request.dtype), request.headDim, request.valueDim, request.block.k,
      print(request.attend));
  return text + describeWay(request.queryOrder, request.keyOrder, request.part);
}

std::string printRequest(const AttentionDecodeRequest &request) {
  return printRequest(forwardOf(request));
}

CostShape costShape(const AttentionDecodeRequest &request, int64_t copies) {
  return CostShape::forward(request.headDim, request.valueDim, bytes(request.dtype), copies);
}

std::vector<AttentionDecodeRequest> kernelsOf(const AttentionDecodeRequest &request,
                                              const std::vector<Part> &parts, const Block &block) {
  return requestsOfParts(request, parts, {AttentionDecodeRequest::kRows, block.k});
}

Result<void> checkDecodable(const Expr &attend, int64_t length, const Heads &heads) {
  if (Result<void> ok = refuseLengths(attend); !ok)
    return ok;
  Expr later =
      simplify(make(Op::And, {attend, make(Op::Greater, {leaf(Op::Key), leaf(Op::Query)})}));
  int64_t count = mentions(later, Op::Head) ? heads.count : std::min<int64_t>(heads.count, 1);
  for (int64_t i = 0; i < count; ++i) {
    LayoutRequest request{.nq = length, .nk = length, .h = heads.first + i * heads.step};
    Result<BlockLayout> layout = BlockLayout::build(later, request);
    if (!layout)
      return layout.error();
    if (layout->counts().live > 0)
      return inputError("decode: expected a causal predicate, found a query that sees a later key: "
                        "it is not there yet",
                        attend->where);
  }
  return {};
}

} // namespace sparsec
