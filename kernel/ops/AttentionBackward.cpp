#include "kernel/ops/AttentionBackward.h"

#include "kernel/ops/Attention.h"
#include "layout/OrderNumbers.h"

#include <fmt/core.h>

namespace sparsec {

using Pass = AttentionBackwardRequest::Pass;

std::string_view name(Pass pass) {
  return pass == Pass::Queries ? "queries" : "keys";
}

/// What forward refuses.
Result<void> checkRequest(const AttentionBackwardRequest &request) {
  return checkRequest(AttentionRequest{.entry = request.entry,
                                       .attend = request.attend,
                                       .headDim = request.headDim,
                                       .valueDim = request.valueDim});
}

Needs needsOf(const AttentionBackwardRequest &request) {
  using Side = TileNeed::Side;
  bool queries = request.pass == Pass::Queries;
  Side stays = queries ? Side::Q : Side::K, moves = queries ? Side::K : Side::Q;
  std::vector<TileNeed> resident = {{stays, request.headDim}, {stays, request.valueDim}};
  std::vector<TileNeed> fetched = {{moves, request.headDim}, {moves, request.valueDim}};
  return {.dtype = request.dtype,
          .resident = resident,
          .fetched = fetched,
          .vectors = queries ? 0 : 2, // lse and delta
          .carried = queries ? request.headDim : request.headDim + request.valueDim,
          .summed = std::max(request.headDim, request.valueDim),
          .scores = 2, // and their gradients
          .sizes = fmt::format("head dim {} and value dim {}", request.headDim, request.valueDim)};
}

std::string describeRequest(const AttentionBackwardRequest &request) {
  std::string text =
      fmt::format("attention backward over {}, {}, head dim {}, value dim {}, blocks of {} x {}\n"
                  "attend: {}\n",
                  name(request.pass), name(request.dtype), request.headDim, request.valueDim,
                  request.block.q, request.block.k, print(request.attend));
  return text + describeWay(request.queryOrder, request.keyOrder, request.part);
}

std::string printRequest(const AttentionBackwardRequest &request) {
  return fmt::format(
      "pass {}\ndtype {}\nhead_dim {}\nvalue_dim {}\norders {} {}\npart {}{}\nattend {}\n",
      name(request.pass), name(request.dtype), request.headDim, request.valueDim,
      name(shapeOf(request.queryOrder)), name(shapeOf(request.keyOrder)),
      request.part.first ? "first" : "", request.part.last ? "last" : "", print(request.attend));
}

CostShape costShape(const AttentionBackwardRequest &request, int64_t copies) {
  int64_t headDim = request.headDim, valueDim = request.valueDim;
  bool ofKeys = request.pass == Pass::Keys;
  return {.products = 2 * headDim + (ofKeys ? 2 : 1) * valueDim,
          .rowWidth = 2 * headDim + (ofKeys ? 2 : 1) * valueDim,
          .foldWidth = headDim + valueDim,
          .elementBytes = bytes(request.dtype),
          .copies = copies,
          .ofKeys = ofKeys,
          .beforeWidth = ofKeys ? 0 : 2 * valueDim};
}

std::vector<AttentionBackwardRequest> kernelsOf(const AttentionBackwardRequest &request,
                                                const std::vector<Part> &parts,
                                                const Block &block) {
  std::vector<AttentionBackwardRequest> requests = requestsOfParts(request, parts, block);
  if (request.pass == Pass::Keys) // its launches are told
    for (AttentionBackwardRequest &each : requests)
      each.part = {};
  return requests;
}

} // namespace sparsec
