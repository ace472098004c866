#include "codegen/ChooseSchedule.h"

#include "codegen/ChooseBlock.h"

#include <fmt/core.h>

namespace sparsec {

std::vector<AttentionRequest> kernelsOf(const AttentionRequest &request,
                                        const std::vector<Part> &parts, const Block &block) {
  std::vector<AttentionRequest> kernels;
  for (size_t i = 0; i < parts.size(); ++i) {
    AttentionRequest kernel = request;
    if (parts.size() > 1)
      kernel.entry += fmt::format("_part{}", i + 1);
    kernel.attend = parts[i].attend;
    kernel.queryOrder = parts[i].queries;
    kernel.keyOrder = parts[i].keys;
    kernel.block = block;
    kernel.part = {.first = i == 0, .last = i + 1 == parts.size()};
    kernels.push_back(std::move(kernel));
  }
  return kernels;
}

LayoutRequest ScheduleRequest::layout() const {
  int64_t length = n;
  for (const auto &order : {schedule.orderQ, schedule.orderK}) // a table holds for one length
    if (const auto *table = order ? std::get_if<TableOrder>(&*order) : nullptr)
      length = static_cast<int64_t>(table->positions->size());
  return {.nq = length, .nk = length, .q0 = 0, .h = h};
}

CostShape ScheduleRequest::shape() const {
  return {.headDim = kernel.headDim,
          .valueDim = kernel.valueDim,
          .elementBytes = bytes(kernel.dtype),
          .copies = copies};
}

Result<HeadSchedule> chooseSchedule(const ScheduleRequest &request) {
  const AttentionRequest &kernel = request.kernel;
  Choice choice{.blocks = {kernel.block},
                .queries = request.schedule.orderQ,
                .keys = request.schedule.orderK,
                .split = request.schedule.split};
  if (!request.anyBlock || kernel.block.q == 0) {
    auto blocks = possibleBlocks(kernel);
    if (!blocks)
      return blocks.error();
    choice.blocks = *std::move(blocks);
  }
  Expr attend = simplify(kernel.attend);
  if (request.schedule.split == SplitChoice::Always && disjointParts(attend).size() < 2)
    return inputError("split: expected a union ('or') to be computed in parts, found none");
  CostShape shape = request.shape();
  CostTarget target = CostTarget::of(kernel.target.name, shape.elementBytes);
  auto ways = weigh(attend, request.layout(), shape, target, choice);
  if (!ways)
    return ways.error();
  const Candidate &best = ways->front();
  HeadSchedule schedule{.parts = kernelsOf(kernel, best.parts, best.block), .ways = {}};
  schedule.ways = std::move(*ways);
  return schedule;
}

} // namespace sparsec
