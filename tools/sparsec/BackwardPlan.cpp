#include "tools/sparsec/BackwardPlan.h"

#include "tools/sparsec/Plan.h"

#include <algorithm>

namespace sparsec::cli {
namespace {

/// Refuses what a schedule asks for and backward does not have.
Result<void> checkSchedule(const HeadEntry &head) {
  const Schedule &schedule = head.schedule;
  for (const auto &order : {schedule.orderQ, schedule.orderK})
    if (order && !std::holds_alternative<NaturalOrder>(*order)) {
      Error error = inputError(
          "expected an order that attention backward is computed in: so far natural alone");
      error.where = head.orderWhere;
      return error;
    }
  if (schedule.split == SplitChoice::Always)
    return located(inputError("split: attention backward computes a head in one part so far"),
                   head);
  return {};
}

} // namespace

const PlannedBackward &BackwardPlan::headOf(int entry) const {
  auto found = std::ranges::find_if(heads, [entry](const PlannedBackward &head) {
    return std::ranges::find(head.entries, entry) != head.entries.end();
  });
  assert(found != heads.end() && "every entry has kernels");
  return *found;
}

Result<BackwardPlan> makeBackwardPlan(LoadedPattern loaded, const PatternFlags &flags,
                                      const Target &target) {
  BackwardPlan plan{.loaded = std::move(loaded), .heads = {}};
  const Pattern &pattern = plan.loaded.pattern;
  std::vector<std::string> names = headNamesOf(pattern);
  for (int entry : entriesOf(plan.loaded.layers)) {
    const HeadEntry &head = pattern.heads[entry];
    if (auto right = checkSchedule(head); !right)
      return right.error();
    Expr attend = simplify(head.attend);
    auto same = std::ranges::find_if(plan.heads, [&](const PlannedBackward &planned) {
      return planned.queries.block == head.schedule.block && equal(planned.queries.attend, attend);
    });
    if (same != plan.heads.end()) {
      same->entries.push_back(entry);
      continue;
    }
    AttentionBackwardRequest request{
        .entry = identifier(pattern.name) + "_" + names[entry] + "_backward",
        .attend = std::move(attend),
        .queryOrder = {},
        .keyOrder = {},
        .dtype = flags.dtype.value_or(defaultDType(target)),
        .headDim = static_cast<int>(flags.headDim),
        .valueDim = static_cast<int>(flags.valueDim.value_or(flags.headDim)),
        .block = head.schedule.block,
        .target = target};
    PlannedBackward planned{.entries = {entry}, .queries = request, .keys = std::move(request)};
    planned.keys.pass = AttentionBackwardRequest::Pass::Keys;
    planned.keys.entry += "_dkv"; // over queries the kernels are ..._delta and ..._dq
    plan.heads.push_back(std::move(planned));
  }
  return plan;
}

Result<BackwardPlan> makeBackwardPlan(const PatternFlags &flags, const Target &target) {
  auto loaded = load(flags);
  if (!loaded)
    return loaded.error();
  return makeBackwardPlan(std::move(*loaded), flags, target);
}

} // namespace sparsec::cli
