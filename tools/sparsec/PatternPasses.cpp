#include "tools/sparsec/PatternPasses.h"

#include "kernel/ops/Attention.h"
#include "kernel/ops/AttentionBackward.h"

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

} // namespace

std::string PatternPass::title() const {
  return std::string(operation) + (name.empty() ? "" : ", ") + std::string(name);
}

std::span<const PatternPass> patternPasses() {
  using enum LayoutRows;
  using enum Workspace::Columns;
  using Pass = AttentionBackwardRequest::Pass;
  constexpr std::string_view kBackward = AttentionBackwardRequest::kOperation;
  static constexpr Workspace ofQueries[] = {{"delta", Queries, One}, {"dq_sums", Queries, HeadDim}};
  static constexpr Workspace ofKeys[] = {{"dk_sums", Keys, HeadDim}, {"dv_sums", Keys, ValueDim}};
  static constexpr PatternPass passes[] = {
      {.operation = AttentionRequest::kOperation,
       .name = "",
       .suffix = "forward",
       .rows = Queries,
       .meet = "merged by log-sum-exp",
       .workspaces = {},
       .weigh = forward},
      {.operation = kBackward,
       .name = "queries",
       .suffix = "backward",
       .rows = Queries,
       .meet = "which meet in f32 sums",
       .workspaces = ofQueries,
       .weigh = backward<Pass::Queries>},
      {.operation = kBackward,
       .name = "keys",
       .suffix = "backward_dkv",
       .rows = Keys,
       .meet = "which meet in f32 sums",
       .workspaces = ofKeys,
       .weigh = backward<Pass::Keys>},
  };
  return passes;
}

std::vector<std::string> patternOperations() {
  std::vector<std::string> names;
  for (const PatternPass &pass : patternPasses())
    if (std::ranges::find(names, pass.operation) == names.end())
      names.emplace_back(pass.operation);
  return names;
}

} // namespace sparsec::cli
