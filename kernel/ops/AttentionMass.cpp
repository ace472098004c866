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

/// Of the two products that attention has it computes one, and nothing of rows is stored.
CostShape costShape(const AttentionMassRequest &request, int64_t copies) {
  return {.products = request.headDim,
          .rowWidth = request.headDim,
          .foldWidth = request.headDim,
          .elementBytes = bytes(request.dtype),
          .copies = copies};
}

Result<std::vector<MassBlock>> massBlocks(const AttentionMassRequest &request, LayoutRequest sizes,
                                          const Heads &heads) {
  sizes.blockQ = request.block.q;
  sizes.blockK = request.block.k;
  Result<Order> queries = Order::make(NaturalOrder{}, sizes.nq, request.block.q);
  Result<Order> keys = Order::make(NaturalOrder{}, sizes.nk, request.block.k);
  if (!queries || !keys)
    return queries ? keys.error() : queries.error();
  Result<HeadLayouts> all = layoutsOfHeads(request.attend, sizes, *queries, *keys, heads);
  if (!all)
    return all.error();
  if (all->counts.live > INT32_MAX)
    return inputError(
        fmt::format("expected at most 2^31 - 1 live blocks, found {}", all->counts.live));
  std::vector<MassBlock> list;
  list.reserve(static_cast<size_t>(all->counts.live));
  for (int64_t place = 0; place < heads.count; ++place) {
    auto head = static_cast<int32_t>(heads.first + place * heads.step);
    const BlockLayout &layout = all->layouts[all->shared ? 0 : static_cast<size_t>(place)];
    for (int64_t row = 0; row < layout.rows(); ++row)
      for (const BlockRun &run : layout.row(row))
        for (int32_t column = run.begin; column < run.end; ++column)
          list.push_back({head, static_cast<int32_t>(row), column});
  }
  return list;
}

} // namespace sparsec
