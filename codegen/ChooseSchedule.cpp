#include "codegen/ChooseSchedule.h"

#include "codegen/ChooseBlock.h"

namespace sparsec {

LayoutRequest ScheduleChoice::layout() const {
  int64_t length = n;
  for (const auto &order : {schedule.orderQ, schedule.orderK}) // a table holds for one length
    if (const auto *table = order ? std::get_if<TableOrder>(&*order) : nullptr)
      length = static_cast<int64_t>(table->positions->size());
  int64_t rows = nq.value_or(length);
  return {.nq = rows, .nk = length, .q0 = q0.value_or(length - rows), .h = h};
}

Result<std::vector<Candidate>> weighWays(const Request &kernel, const Expr &whole,
                                         const CostShape &shape, const ScheduleChoice &asked) {
  Choice choice{.blocks = {kernel.block()},
                .queries = asked.schedule.orderQ,
                .keys = asked.schedule.orderK,
                .split = asked.schedule.split};
  if (!asked.anyBlock || kernel.block().q == 0) {
    auto blocks = possibleBlocks(kernel);
    if (!blocks)
      return blocks.error();
    choice.blocks = *std::move(blocks);
  }
  Expr attend = simplify(whole);
  if (asked.schedule.split == SplitChoice::Always && disjointParts(attend).size() < 2)
    return inputError("split: expected a union ('or') to be computed in parts, found none");
  CostTarget target = CostTarget::of(kernel.target().name, shape.elementBytes);
  if (asked.oneByOne) {
    choice.queries = NaturalOrder{};
    for (Block &block : choice.blocks)
      block.q = 1;
    // Of one query there is little to reuse: shorter blocks fit, too, and waste less.
    for (int k = choice.blocks.front().k / 2; kernel.block().k == 0 && k >= 16 && k % 16 == 0;
         k /= 2)
      choice.blocks.push_back({1, k});
    target.launchSeconds *= static_cast<double>(asked.n);
  }
  Ledger own;
  return weigh(attend, asked.layout(), shape, target, choice, asked.ledger ? *asked.ledger : own);
}

} // namespace sparsec
