#include "tools/sparsec/Plan.h"

#include <fmt/core.h>

namespace sparsec::cli {

std::vector<std::string> plannedOperations() {
  return {std::string(AttentionRequest::kOperation)};
}

std::vector<std::string> headNamesOf(const Pattern &pattern) {
  Names names;
  std::vector<std::string> taken;
  for (const HeadEntry &head : pattern.heads)
    taken.push_back(names.take(identifier(head.name)));
  return taken;
}

const PlannedHead &Plan::headOf(int entry) const {
  for (const PlannedHead &head : heads)
    if (std::find(head.entries.begin(), head.entries.end(), entry) != head.entries.end())
      return head;
  assert(false && "every entry has kernels");
  return heads.front();
}

std::string Plan::forwardName(int entry) const {
  return identifier(loaded.pattern.name) + "_" + headNames[entry] + "_forward";
}

std::vector<AttentionRequest> Plan::partsOf(int entry) const {
  std::vector<AttentionRequest> parts;
  for (size_t kernel : headOf(entry).kernels)
    parts.push_back(kernels[kernel].request);
  return parts;
}

CostShape Plan::shapeOf(int entry, int64_t copies) const {
  return costShape(kernelOf(entry).request, copies);
}

Error located(Error error, const HeadEntry &head) {
  if (error.where)
    return error;
  const Schedule &schedule = head.schedule;
  if (error.message.starts_with("split")) {
    error.where = head.splitWhere;
    if (!error.where)
      error.message = "--" + error.message;
  } else if (error.message.starts_with("expected an order")) {
    error.where = head.orderWhere;
  } else if (schedule.block.q) {
    error.where = head.blockWhere;
  }
  return error;
}

namespace {

/// All targets compute the same type: f32 where only CPUs are meant.
DType defaultDType(const std::vector<Target> &targets) {
  for (const Target &target : targets)
    if (target.kind() == TargetKind::Gpu)
      return sparsec::defaultDType(target);
  return sparsec::defaultDType(targets.front());
}

/// One entry's kernels for one target.
class Planner {
public:
  Planner(Plan &plan, const PatternFlags &flags, DType dtype, PlanFor use)
      : plan(plan), flags(flags), dtype(dtype), use(use) {}

  Result<void> add(const Target &target, int entry) {
    const Pattern &pattern = plan.loaded.pattern;
    const HeadEntry &head = pattern.heads[entry];
    if (PlannedHead *same = sharing(target, head)) {
      same->entries.push_back(entry);
      for (size_t kernel : same->kernels)
        plan.kernels[kernel].entries.push_back(entry);
      return {};
    }
    const std::string &name = plan.headNames[entry];
    AttentionRequest request{.entry = plan.forwardName(entry),
                             .attend = simplify(head.attend),
                             .dtype = dtype,
                             .headDim = static_cast<int>(flags.headDim),
                             .valueDim = static_cast<int>(flags.valueDim.value_or(flags.headDim)),
                             .block = head.schedule.block,
                             .target = target};
    ScheduleRequest asked(std::move(request), {.schedule = head.schedule,
                                               .n = plan.weighedAt,
                                               .copies = std::max(1, plan.loaded.heads),
                                               .anyBlock = use == PlanFor::Pictures});
    auto schedule = chooseSchedule(asked);
    if (!schedule)
      return located(schedule.error(), head);
    PlannedHead planned{.entries = {entry},
                        .kernels = {},
                        .ways = std::move(schedule->ways),
                        .weighed = asked.layout()};
    for (AttentionRequest &part : schedule->parts) {
      std::string stem = name;
      if (schedule->parts.size() > 1)
        stem += fmt::format(".part{}", planned.kernels.size() + 1);
      planned.kernels.push_back(plan.kernels.size());
      plan.kernels.push_back({.request = std::move(part),
                              .entries = {entry},
                              .stem = fmt::format("{}.forward.{}", stem, target.name)});
    }
    plan.heads.push_back(std::move(planned));
    return {};
  }

private:
  Plan &plan;
  const PatternFlags &flags;
  DType dtype;
  PlanFor use;

  /// What an entry before this one was planned as, if this one asks for the same.
  PlannedHead *sharing(const Target &target, const HeadEntry &head) {
    const auto &entries = plan.loaded.pattern.heads;
    for (PlannedHead &planned : plan.heads) {
      const HeadEntry &other = entries[planned.entries[0]];
      if (plan.kernels[planned.kernels[0]].request.target.name == target.name &&
          other.schedule == head.schedule && equal(simplify(other.attend), simplify(head.attend)))
        return &planned;
    }
    return nullptr;
  }
};

} // namespace

Result<Plan> makePlan(const PatternFlags &flags, const std::vector<Target> &targets) {
  auto loaded = load(flags);
  if (!loaded)
    return loaded.error();
  int64_t n = loaded->n.value_or(kWeighedAt);
  return makePlan(std::move(*loaded), flags, targets, n, PlanFor::Kernels);
}

Result<Plan> makePlan(LoadedPattern loaded, const PatternFlags &flags,
                      const std::vector<Target> &targets, int64_t n, PlanFor use) {
  Plan plan{.loaded = std::move(loaded), .weighedAt = std::max<int64_t>(n, 1)};
  plan.headNames = headNamesOf(plan.loaded.pattern);
  Planner planner(plan, flags, flags.dtype.value_or(defaultDType(targets)), use);
  for (const Target &target : targets)
    for (int entry : entriesOf(plan.loaded.layers))
      if (auto added = planner.add(target, entry); !added)
        return added.error();
  return plan;
}

std::vector<HeadRow> headRows(const LoadedPattern &loaded, const Layer &layer) {
  std::vector<HeadRow> rows;
  for (const auto &[entry, heads] : usesOf(layer, loaded.heads)) {
    const HeadEntry &head = loaded.pattern.heads[entry];
    bool apart = mentions(head.attend, Op::Head);
    auto row = std::ranges::find_if(rows, [&](const HeadRow &row) { return row.entry == entry; });
    if (!apart && row == rows.end())
      row = rows.insert(row, {head.name, entry, heads.first, {}});
    for (int64_t i = 0; i < heads.count; ++i) {
      int64_t h = heads.first + i * heads.step;
      if (apart)
        rows.push_back({fmt::format("{} h={}", head.name, h), entry, h, {h}});
      else
        row->heads.push_back(h);
    }
  }
  for (HeadRow &row : rows)
    std::ranges::sort(row.heads);
  return rows;
}

} // namespace sparsec::cli
