#include "tools/sparsec/BackwardPlan.h"

#include "tools/sparsec/Plan.h"

#include <algorithm>

namespace sparsec::cli {
namespace {

Result<PlannedPass> plan(AttentionBackwardRequest request, const HeadEntry &head, int64_t n,
                         int64_t copies) {
  ScheduleRequest asked(std::move(request), {.schedule = head.schedule, .n = n, .copies = copies});
  auto schedule = chooseSchedule(asked);
  if (!schedule)
    return located(schedule.error(), head);
  return PlannedPass{std::move(schedule->parts), std::move(schedule->ways), asked.layout()};
}

/// Whether one schedule serves both, so that kernels are shared.
bool alike(const HeadEntry &a, const HeadEntry &b) {
  return a.schedule == b.schedule && equal(simplify(a.attend), simplify(b.attend));
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
                                      const Target &target, int64_t n) {
  BackwardPlan plan{.loaded = std::move(loaded), .heads = {}};
  const Pattern &pattern = plan.loaded.pattern;
  std::vector<std::string> names = headNamesOf(pattern);
  int64_t copies = std::max(1, plan.loaded.heads);
  for (int entry : entriesOf(plan.loaded.layers)) {
    const HeadEntry &head = pattern.heads[entry];
    auto same = std::ranges::find_if(plan.heads, [&](const PlannedBackward &planned) {
      return alike(pattern.heads[planned.entries[0]], head);
    });
    if (same != plan.heads.end()) {
      same->entries.push_back(entry);
      continue;
    }
    AttentionBackwardRequest request{
        .entry = identifier(pattern.name) + "_" + names[entry] + "_backward",
        .attend = simplify(head.attend),
        .queryOrder = {},
        .keyOrder = {},
        .dtype = flags.dtype.value_or(defaultDType(target)),
        .headDim = static_cast<int>(flags.headDim),
        .valueDim = static_cast<int>(flags.valueDim.value_or(flags.headDim)),
        .block = head.schedule.block,
        .target = target};
    auto queries = cli::plan(request, head, n, copies);
    if (!queries)
      return queries.error();
    request.pass = AttentionBackwardRequest::Pass::Keys;
    request.entry += "_dkv"; // over queries the kernels are ..._delta and ..._dq
    auto keys = cli::plan(std::move(request), head, n, copies);
    if (!keys)
      return keys.error();
    plan.heads.push_back({{entry}, std::move(*queries), std::move(*keys)});
  }
  return plan;
}

Result<BackwardPlan> makeBackwardPlan(const PatternFlags &flags, const Target &target) {
  auto loaded = load(flags);
  if (!loaded)
    return loaded.error();
  int64_t n = std::max<int64_t>(loaded->n.value_or(kWeighedAt), 1);
  return makeBackwardPlan(std::move(*loaded), flags, target, n);
}

} // namespace sparsec::cli
