#include "tools/sparsec/Plan.h"

#include <algorithm>
#include <fmt/core.h>

namespace sparsec::cli {

std::vector<std::string> headNamesOf(const Pattern &pattern) {
  Names names;
  std::vector<std::string> taken;
  for (const HeadEntry &head : pattern.heads)
    taken.push_back(names.take(identifier(head.name)));
  return taken;
}

std::string PlannedRequest::stem() const {
  return fmt::format("{}.{}.{}", headName, pass->suffix, request.target().name);
}

Result<PassNumbers> PlannedRequest::numbers(const Lengths &at, const Heads &heads,
                                            int threads) const {
  LayoutRequest layout = at.request(0, block);
  layout.threads = threads;
  return passNumbers(*pass, *this, layout, heads);
}

CostShape PlannedPass::shapeOf(int64_t copies) const {
  CostShape all = shape;
  all.copies = copies;
  return all;
}

Lengths PlannedPass::lengths(const Lengths &at) const {
  return pass->work == PassWork::Positions ? Lengths{at.n, at.n, 0} : at;
}

CostTarget PlannedPass::costTarget(const Target &target, const Lengths &at) const {
  CostTarget cost = CostTarget::of(target.name, shape.elementBytes);
  if (pass->work == PassWork::Positions) // each by a launch
    cost.launchSeconds *= static_cast<double>(at.nq);
  return cost;
}

const PlannedHead &Plan::headOf(int entry) const {
  for (const PlannedHead &head : heads)
    if (std::ranges::find(head.entries, entry) != head.entries.end())
      return head;
  assert(false && "every entry has kernels");
  return heads.front();
}

std::string Plan::symbol(int entry, const PatternPass &pass) const {
  return fmt::format("{}_{}_{}", identifier(loaded.pattern.name), headNames[entry], pass.suffix);
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

/// One entry's requests for one target.
class Planner {
public:
  Planner(Plan &plan, const PlanFor &use) : plan(plan), use(use) {}

  Result<void> add(const Target &target, int entry) {
    const HeadEntry &head = plan.loaded.pattern.heads[entry];
    if (PlannedHead *same = sharing(target, head)) {
      same->entries.push_back(entry);
      for (const PlannedPass &pass : same->passes)
        for (size_t request : pass.requests)
          plan.requests[request].entries.push_back(entry);
      return {};
    }
    PlannedHead planned{.entries = {entry}, .target = target, .passes = {}};
    for (const PatternPass &pass : patternPasses()) {
      if (std::ranges::find(use.operations, pass.operation) == use.operations.end())
        continue;
      auto weighed = weigh(pass, target, entry);
      if (!weighed) {
        Error error = located(weighed.error(), head);
        if (std::string about = std::string(pass.operation) + ": ";
            pass.operation != use.operations.front()) { // that would have done without this one
          if (!error.message.starts_with(about))
            error.message = about + error.message;
          error.message += fmt::format("; --op {} does without", use.operations.front());
        }
        return error;
      }
      planned.passes.push_back(take(pass, std::move(*weighed), entry));
    }
    plan.heads.push_back(std::move(planned));
    return {};
  }

private:
  Plan &plan;
  const PlanFor &use;

  Result<WeighedPass> weigh(const PatternPass &pass, const Target &target, int entry) const {
    const HeadEntry &head = plan.loaded.pattern.heads[entry];
    return pass.weigh({.entry = plan.symbol(entry, pass),
                       .attend = simplify(head.attend),
                       .dtype = plan.dtype,
                       .headDim = plan.headDim,
                       .valueDim = plan.valueDim,
                       .block = head.schedule.block,
                       .target = target},
                      {.schedule = head.schedule,
                       .n = plan.weighedAt,
                       .nq = plan.loaded.nq,
                       .q0 = plan.loaded.q0,
                       .copies = std::max(1, plan.loaded.heads),
                       .anyBlock = use.anyBlock,
                       .ledger = plan.ledger});
  }

  PlannedPass take(const PatternPass &pass, WeighedPass weighed, int entry) {
    PlannedPass planned{
        .pass = &pass, .requests = {}, .ways = std::move(weighed.ways), .shape = weighed.shape};
    auto parts = static_cast<int>(weighed.parts.size());
    for (int i = 0; i < parts; ++i) {
      planned.requests.push_back(plan.requests.size());
      PlannedRequest &request =
          plan.requests.emplace_back(PlannedRequest{std::move(weighed.parts[i])});
      request.pass = &pass;
      request.part = i;
      request.parts = parts;
      request.entries = {entry};
      request.headName = plan.headNames[entry] + (parts > 1 ? fmt::format(".part{}", i + 1) : "");
    }
    return planned;
  }

  /// What an entry before this one was planned as, if this one asks for the same.
  PlannedHead *sharing(const Target &target, const HeadEntry &head) {
    const auto &entries = plan.loaded.pattern.heads;
    for (PlannedHead &planned : plan.heads) {
      const HeadEntry &other = entries[planned.entries[0]];
      if (planned.target.name == target.name && other.schedule == head.schedule &&
          equal(simplify(other.attend), simplify(head.attend)))
        return &planned;
    }
    return nullptr;
  }
};

} // namespace

const PlanFor kForPictures = {.operations = {std::string(AttentionRequest::kOperation)},
                              .anyBlock = true};

Result<Plan> makePlan(const PatternFlags &flags, const std::vector<Target> &targets,
                      Ledger &ledger) {
  auto loaded = load(flags);
  if (!loaded)
    return loaded.error();
  int64_t n = loaded->n.value_or(kWeighedAt);
  return makePlan(std::move(*loaded), flags, targets, n, {.operations = flags.operations}, ledger);
}

Result<Plan> makePlan(LoadedPattern loaded, const PatternFlags &flags,
                      const std::vector<Target> &targets, int64_t n, const PlanFor &use,
                      Ledger &ledger) {
  Plan plan{.loaded = std::move(loaded),
            .weighedAt = std::max<int64_t>(n, 1),
            .dtype = flags.dtype.value_or(defaultDType(targets)),
            .headDim = static_cast<int>(flags.headDim),
            .valueDim = static_cast<int>(flags.valueDim.value_or(flags.headDim))};
  plan.ledger = &ledger;
  plan.headNames = headNamesOf(plan.loaded.pattern);
  Planner planner(plan, use);
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
