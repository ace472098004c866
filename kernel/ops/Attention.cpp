#include "kernel/ops/Attention.h"

#include "layout/OrderNumbers.h"

#include <fmt/core.h>

namespace sparsec {
namespace {

/// Operations of a predicate that one kernel takes: each becomes code for every element of a block.
constexpr int kMaxOperations = 4096;

/// Takes the operations of a predicate from a budget; below 0 once it is spent.
void spend(const Expr &expr, int &budget) {
  if (expr->operands.empty() || --budget < 0)
    return;
  for (const Expr &operand : expr->operands)
    if (budget >= 0)
      spend(operand, budget);
}

Result<void> checkDim(const char *what, int size) {
  if (size >= 16 && size <= 256 && size % 16 == 0)
    return {};
  return inputError(fmt::format("expected a {} of 16 to 256 in steps of 16, found {}", what, size));
}

} // namespace

Result<void> checkRequest(const AttentionRequest &request) {
  if (auto checked = checkDim("head dim", request.headDim); !checked)
    return checked;
  if (auto checked = checkDim("value dim", request.valueDim); !checked)
    return checked;
  if (!request.attend)
    return internalError("a request for attention without a predicate");
  int budget = kMaxOperations;
  spend(request.attend, budget);
  if (budget < 0)
    return inputError(
        fmt::format("expected a predicate of at most {} operations for one kernel, found more",
                    kMaxOperations),
        request.attend->where);
  return {};
}

Needs needsOf(const AttentionRequest &request) {
  using Side = TileNeed::Side;
  return {.dtype = request.dtype,
          .resident = {{Side::Q, request.headDim}},
          .fetched = {{Side::K, request.headDim}, {Side::K, request.valueDim}},
          .carried = request.valueDim,
          .summed = request.headDim,
          .sizes = fmt::format("head dim {} and value dim {}", request.headDim, request.valueDim)};
}

std::string describeRequest(const AttentionRequest &request) {
  std::string text = fmt::format(
      "attention forward, {}, head dim {}, value dim {}, blocks of {} x {}\nattend: {}\n",
      name(request.dtype), request.headDim, request.valueDim, request.block.q, request.block.k,
      print(request.attend));
  return text + describeWay(request.queryOrder, request.keyOrder, request.part);
}

CostShape costShape(const AttentionRequest &request, int64_t copies) {
  return CostShape::forward(request.headDim, request.valueDim, bytes(request.dtype), copies);
}

std::vector<AttentionRequest> kernelsOf(const AttentionRequest &request,
                                        const std::vector<Part> &parts, const Block &block) {
  return requestsOfParts(request, parts, block);
}

/// Of an order only its shape is compiled in.
std::string printRequest(const AttentionRequest &request) {
  return fmt::format("dtype {}\nhead_dim {}\nvalue_dim {}\norders {} {}\npart {}{}\nattend {}\n",
                     name(request.dtype), request.headDim, request.valueDim,
                     name(shapeOf(request.queryOrder)), name(shapeOf(request.keyOrder)),
                     request.part.first ? "first" : "", request.part.last ? "last" : "",
                     print(request.attend));
}

} // namespace sparsec
