#include "tools/sparsec/PatternPasses.h"

#include "codegen/ChooseBlock.h"
#include "kernel/ops/Attention.h"
#include "kernel/ops/AttentionBackward.h"
#include "kernel/ops/AttentionMass.h"
#include "kernel/ops/DecodeNumbers.h"

#include <algorithm>

namespace sparsec::cli {
namespace {

template <class R>
Result<WeighedPass> weighAs(R request, HeadRequest head, const ScheduleChoice &choice) {
  request.entry = std::move(head.entry);
  request.attend = std::move(head.attend);
  request.dtype = head.dtype;
  request.headDim = head.headDim;
  request.valueDim = head.valueDim;
  request.block = head.block;
  request.target = std::move(head.target);
  ScheduleRequest<R> asked(std::move(request), choice);
  auto schedule = chooseSchedule(asked);
  if (!schedule)
    return schedule.error();
  WeighedPass pass{
      .parts = {}, .ways = std::move(schedule->ways), .shape = costShape(asked.kernel, 1)};
  for (const R &part : schedule->parts)
    pass.parts.push_back(
        {part, part.attend, part.queryOrder, part.keyOrder, part.part, part.block});
  return pass;
}

Result<WeighedPass> forward(HeadRequest head, const ScheduleChoice &choice) {
  return weighAs(AttentionRequest(), std::move(head), choice);
}

template <AttentionBackwardRequest::Pass Which>
Result<WeighedPass> backward(HeadRequest head, const ScheduleChoice &choice) {
  AttentionBackwardRequest request;
  request.pass = Which;
  return weighAs(std::move(request), std::move(head), choice);
}

/// Parts leave their sums side by side, for the merge.
Result<WeighedPass> decode(HeadRequest head, const ScheduleChoice &choice) {
  bool apart = mentions(head.attend, Op::Head); // which heads use it is known where they are
  if (Result<void> ok = checkDecodable(head.attend, choice.n, {0, 1, apart ? 0 : 1}); !ok)
    return ok.error();
  head.block.q = AttentionDecodeRequest::kRows;
  ScheduleChoice all = choice; // positions, whichever the queries are
  all.nq.reset();
  all.q0.reset();
  Result<WeighedPass> pass = weighAs(AttentionDecodeRequest(), std::move(head), all);
  if (!pass)
    return pass;
  for (PartRequest &part : pass->parts) {
    part.role = {};
    part.block.q = 1;
  }
  return pass;
}

/// Blocks are squares of a picture: natural order, in one part.
Result<WeighedPass> mass(HeadRequest head, const ScheduleChoice &choice) {
  AttentionMassRequest request{.entry = std::move(head.entry),
                               .attend = std::move(head.attend),
                               .dtype = head.dtype,
                               .headDim = head.headDim,
                               .block = head.block,
                               .target = std::move(head.target)};
  ScheduleChoice natural = choice;
  natural.schedule.orderQ = natural.schedule.orderK = NaturalOrder{};
  natural.schedule.split = SplitChoice::Never;
  CostShape shape = costShape(request, 1);
  auto ways = weighWays(request, request.attend, costShape(request, choice.copies), natural);
  if (!ways)
    return ways.error();
  request.block = ways->front().block;
  PartRequest part{request, request.attend, NaturalOrder{}, NaturalOrder{}, {}, request.block};
  return WeighedPass{.parts = {part}, .ways = std::move(*ways), .shape = shape};
}

Result<PassNumbers> blockNumbers(const AttentionMassRequest &request, const LayoutRequest &sizes,
                                 const Heads &heads) {
  Result<std::vector<MassBlock>> blocks = massBlocks(request, sizes, heads);
  if (!blocks)
    return blocks.error();
  PassNumbers numbers;
  for (const auto &[head, row, column] : *blocks)
    numbers.blocks.insert(numbers.blocks.end(), {head, row, column});
  return numbers;
}

std::vector<std::string> operations(bool asked) {
  std::vector<std::string> names;
  for (const PatternPass &pass : patternPasses())
    if (pass.isAsked == asked && std::ranges::find(names, pass.operation) == names.end())
      names.emplace_back(pass.operation);
  return names;
}

} // namespace

std::string PatternPass::title() const {
  return std::string(operation) + (name.empty() ? "" : ", ") + std::string(name);
}

std::span<const PatternPass> patternPasses() {
  using enum PassWork;
  using enum Workspace::Columns;
  using Pass = AttentionBackwardRequest::Pass;
  constexpr std::string_view kBackward = AttentionBackwardRequest::kOperation;
  static constexpr Workspace ofQueries[] = {{"delta", Queries, One}, {"dq_sums", Queries, HeadDim}};
  static constexpr Workspace ofKeys[] = {{"dk_sums", Keys, HeadDim}, {"dv_sums", Keys, ValueDim}};
  static constexpr Workspace ofSlots[] = {{"part_out", Positions, ValueDim},
                                          {"part_max", Positions, One},
                                          {"part_sum", Positions, One}};
  static constexpr PatternPass passes[] = {
      {.operation = AttentionRequest::kOperation,
       .name = "",
       .suffix = "forward",
       .work = Queries,
       .meet = "merged by log-sum-exp",
       .workspaces = {},
       .weigh = forward},
      {.operation = kBackward,
       .name = "queries",
       .suffix = "backward",
       .work = Queries,
       .meet = "which meet in f32 sums",
       .workspaces = ofQueries,
       .weigh = backward<Pass::Queries>},
      {.operation = kBackward,
       .name = "keys",
       .suffix = "backward_dkv",
       .work = Keys,
       .meet = "which meet in f32 sums",
       .workspaces = ofKeys,
       .weigh = backward<Pass::Keys>},
      {.operation = AttentionDecodeRequest::kOperation,
       .name = "",
       .suffix = "decode",
       .work = Positions,
       .meet = "merged by log-sum-exp",
       .workspaces = ofSlots,
       .isAsked = true,
       .weigh = decode},
      {.operation = AttentionMassRequest::kOperation,
       .name = "",
       .suffix = "mass",
       .work = Blocks,
       .meet = "",
       .workspaces = {},
       .isAsked = true,
       .weigh = mass},
  };
  return passes;
}

std::vector<std::string> patternOperations() {
  return operations(/*asked=*/false);
}

std::vector<std::string> askedOperations() {
  return operations(/*asked=*/true);
}

Result<PassNumbers> passNumbers(const PatternPass &pass, const PartRequest &part,
                                const LayoutRequest &sizes, const Heads &heads) {
  if (pass.work == PassWork::Blocks)
    return blockNumbers(*part.request.as<AttentionMassRequest>(), sizes, heads);
  BlockSource source = takesRowForms(part.request) ? BlockSource::Auto : BlockSource::Tables;
  auto rows = pass.work == PassWork::Keys ? LayoutRows::Keys : LayoutRows::Queries;
  Result<LaunchNumbers> numbers =
      pass.work == PassWork::Positions
          ? decodeNumbers(*part.request.as<AttentionDecodeRequest>(), sizes.nk, heads, source,
                          sizes.threads)
          : launchNumbers(part.attend, sizes, part.queryOrder, part.keyOrder, heads, source, rows);
  if (!numbers)
    return numbers.error();
  return PassNumbers{std::move(*numbers), {}};
}

} // namespace sparsec::cli
