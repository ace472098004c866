#include "kernel/ops/AttentionMass.h"

#include "kernel/ops/Attention.h"

#include <fmt/core.h>

namespace sparsec {

/// What forward refuses.
Result<void> checkRequest(const AttentionMassRequest &request) {
  return checkRequest(AttentionRequest{
      .entry = request.entry, .attend = request.attend, .headDim = request.headDim});
}

Needs needsOf(const AttentionMassRequest &request) {
  using Side = TileNeed::Side;
  return {.dtype = request.dtype,
          .resident = {{Side::Q, request.headDim}},
          .fetched = {{Side::K, request.headDim}},
          .summed = request.headDim,
          .sizes = fmt::format("head dim {}", request.headDim)};
}

std::string describeRequest(const AttentionMassRequest &request) {
  return fmt::format("block sums of attention weights, {}, head dim {}, blocks of {} x {}\n"
                     "attend: {}\n",
                     name(request.dtype), request.headDim, request.block.q, request.block.k,
                     print(request.attend));
}

std::string printRequest(const AttentionMassRequest &request) {
  return fmt::format("dtype {}\nhead_dim {}\nattend {}\n", name(request.dtype), request.headDim,
                     print(request.attend));
}

} // namespace sparsec
