#include "tools/sparsec/Ways.h"

namespace sparsec::cli {

CostShape WaysRequest::shape() const {
  return {.headDim = flags.headDim,
          .valueDim = flags.valueDim.value_or(flags.headDim),
          .elementBytes = bytes(dtype()),
          .copies = copies};
}

Result<std::vector<Candidate>> waysOf(const WaysRequest &request) {
  const Schedule &schedule = request.head().schedule;
  CostShape shape = request.shape();
  Expr attend = simplify(request.head().attend);
  if (schedule.split == SplitChoice::Always && disjointParts(attend).size() < 2)
    return inputError("split: expected a union ('or') to be computed in parts, found none",
                      request.head().splitWhere);
  Choice choice{.blocks = {schedule.block},
                .queries = schedule.orderQ,
                .keys = schedule.orderK,
                .split = schedule.split};
  if (!schedule.block.q) {
    auto blocks = possibleBlocks({.entry = request.head().name,
                                  .attend = request.head().attend,
                                  .dtype = request.dtype(),
                                  .headDim = static_cast<int>(shape.headDim),
                                  .valueDim = static_cast<int>(shape.valueDim),
                                  .target = request.target});
    if (!blocks)
      return blocks.error();
    choice.blocks = *blocks;
  }
  CostTarget target = CostTarget::of(request.target.name, shape.elementBytes);
  // Chosen as compile does, for all heads at once; counted for this row.
  LayoutRequest all = request.layout();
  all.h = 0;
  CostShape together = shape;
  together.copies = std::max(1, request.loaded.heads);
  auto ways = weigh(attend, all, together, target, choice);
  if (!ways) {
    Error error = ways.error();
    if (!error.where)
      error.where = request.head().orderWhere;
    return error;
  }
  if (auto counted = count(ways->front(), request.layout(), shape, target); !counted)
    return counted.error();
  return ways;
}

} // namespace sparsec::cli
