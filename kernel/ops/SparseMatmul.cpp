#include "kernel/ops/SparseMatmul.h"

#include "kernel/ops/Attention.h"

#include <fmt/core.h>

#include <algorithm>

namespace sparsec {
namespace {

using Pass = MatmulRequest::Pass;

/// Dense, in tiles of a block.
MatmulRequest denseOf(const SparseMatmulRequest &request) {
  return {.entry = request.entry,
          .pass = request.pass,
          .dtype = request.dtype,
          .stream = request.stream,
          .weights = request.weights,
          .bias = request.bias,
          .gelu = request.gelu,
          .save = request.save,
          .residual = request.residual,
          .tile = {.tokens = tokensOf(request), .out = request.block.q, .in = request.block.k},
          .target = request.target};
}

} // namespace

int tokensOf(const SparseMatmulRequest &request) {
  if (request.tokens)
    return request.tokens;
  if (request.target.kind() == TargetKind::Gpu)
    return 64;
  return request.pass == Pass::WeightGradient ? 256 : 512;
}

int64_t tokenRanges(const SparseMatmulRequest &request, int64_t tokens, int64_t live) {
  return tokenRanges(denseOf(request), tokens, live * request.block.q, request.block.k);
}

Result<void> checkRequest(const SparseMatmulRequest &request) {
  for (int side : {request.block.q, request.block.k})
    if (side < 16 || side > 128 || side % 16 != 0)
      return inputError(fmt::format(
          "expected a block of 16 to 128 outputs and inputs in steps of 16, found {}x{}",
          request.block.q, request.block.k));
  if (auto checked = checkRequest(denseOf(request)); !checked)
    return checked;
  if (request.attend && mentions(request.attend, Op::Head))
    return inputError("weights have no heads: expected a predicate of q and k alone",
                      request.attend->where);
  return checkRequest(AttentionRequest{.entry = request.entry, .attend = request.attend});
}

Needs needsOf(const SparseMatmulRequest &request) {
  return {.dtype = request.dtype};
}

std::string describeRequest(const SparseMatmulRequest &request) {
  return fmt::format("block-sparse weights, blocks of {} x {}: {}attend: {}\n", request.block.q,
                     request.block.k, describeRequest(denseOf(request)), print(request.attend));
}

std::string printRequest(const SparseMatmulRequest &request) {
  return printRequest(denseOf(request)) + fmt::format("attend {}\n", print(request.attend));
}

} // namespace sparsec
