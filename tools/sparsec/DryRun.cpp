#include "tools/sparsec/DryRun.h"

#include "model/Trainer.h"
#include "tools/sparsec/MemoryTable.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace sparsec::cli {

namespace {

/// What the calls of one operation take together.
struct OperationTime {
  int64_t calls = 0;
  double seconds = 0, flops = 0;
};

void printTimes(const Session &session, const std::map<std::string, OperationTime> &times) {
  double all = 0;
  for (const auto &[name, time] : times)
    all += time.seconds;
  if (session.json) {
    Json rows = Json::array();
    for (const auto &[name, time] : times)
      rows.push_back({{"operation", name},
                      {"calls", time.calls},
                      {"ms", time.seconds * 1e3},
                      {"flops", time.flops}});
    fmt::print("{}\n", Json{{"step_ms", all * 1e3}, {"operations", rows}}.dump(2));
    return;
  }
  session.report(fmt::format("{:<22}{:>7}{:>12}{:>9}{:>12}\n", "operation", "calls", "ms", "share",
                             "GFLOP/s"));
  for (const auto &[name, time] : times)
    session.report(
        fmt::format("{:<22}{:>7}{:>12.2f}{:>8.1f}%{:>12}\n", name, time.calls, time.seconds * 1e3,
                    100 * time.seconds / all,
                    time.flops > 0 ? fmt::format("{:.0f}", time.flops / time.seconds * 1e-9) : ""));
  session.report(fmt::format("{:<22}{:>7}{:>12.2f}\n", "a step", "", all * 1e3));
}

} // namespace

Result<void> dryRun(const Session &session, const Transformer &model, Machine &planning) {
  std::vector<CallList> lists = Trainer::lists(model);
  auto memory = ListMemory::allocate(planning, lists);
  if (!memory)
    return memory.error();
  int64_t resident = planning.residentBytes(), planned = memory->bytes() + resident;
  const CallList *both[] = {&lists[2], &lists[1]}; // the step's first run, and its update
  MemoryPlan plan = lists[2].plan();
  double flops = 0, seconds = 0;
  size_t calls = 0;
  for (const CallList *list : both)
    for (const Call &call : list->all()) {
      flops += call.operation->flops();
      seconds += call.loaded.seconds;
      calls += 1;
    }
  auto table = MemoryTable::of(planning, model);
  if (!table)
    return table.error();
  const TrainConfig &train = model.config().train;
  if (session.json) {
    Json all = Json::array();
    for (const CallList *list : both)
      for (const Call &call : list->all())
        all.push_back({{"name", call.name},
                       {"operation", call.operation->operation()},
                       {"kernel", call.loaded.kernel},
                       {"shape", call.operation->shape()},
                       {"bytes", call.operation->bytes()},
                       {"workspace_bytes", call.loaded.workspace},
                       {"flops", call.operation->flops()},
                       {"predicted_ms", call.loaded.seconds * 1e3}});
    fmt::print("{}\n", Json{{"parameters", model.parameters().count()},
                            {"target", planning.target.name},
                            {"micro_batch", train.microBatch},
                            {"calls", all},
                            {"flops", flops},
                            {"predicted_ms", seconds * 1e3},
                            {"arena_bytes", plan.arenaBytes},
                            {"table_bytes", resident},
                            {"planned_bytes", planned},
                            {"memory", table->json(model)}}
                           .dump(2));
    return {};
  }
  for (const CallList *list : both)
    session.report(list->print());
  session.report(fmt::format(
      "\n{} parameters; {} calls for {} of {} tokens, {:.1f} GFLOP, {:.3f} ms by the cost model of "
      "{}\nmemory {}: {} of activations and partial sums ({} are alive at once), {} of tables, {} "
      "of weights, gradients, moments and batch\n",
      model.parameters().count(), calls, counted(train.microBatch, "sequence"),
      model.config().model.length, flops * 1e-9, seconds * 1e3, planning.target.name,
      megabytes(planned), megabytes(plan.arenaBytes), megabytes(plan.lowerBound),
      megabytes(resident), megabytes(planned - plan.arenaBytes - resident)));
  session.report(table->text(model));
  return {};
}

Result<void> timeStep(const Session &session, const Transformer &model, Machine &machine) {
  constexpr int kSamples = 5;
  const TrainConfig &train = model.config().train;
  CallList lists[] = {
      model.list(ListUse::Train, {.batch = train.microBatch, .sequences = train.batchSize}),
      model.update()};
  auto memory = ListMemory::allocate(machine, lists);
  if (!memory)
    return memory.error();
  std::vector<float> weights =
      model.parameters().initial(static_cast<uint64_t>(model.config().train.seed));
  std::vector<int32_t> tokens(static_cast<size_t>(train.microBatch * model.config().model.length));
  for (size_t i = 0; i < tokens.size(); ++i)
    tokens[i] = static_cast<int32_t>(i * i % kClasses);
  for (const auto &[buffer, from, bytes] :
       {std::tuple<const char *, const void *, size_t>{buffers::kParameters, weights.data(),
                                                       weights.size() * sizeof(float)},
        {buffers::kTokens, tokens.data(), tokens.size() * sizeof(int32_t)},
        {buffers::kTargets, tokens.data(), tokens.size() * sizeof(int32_t)}})
    if (auto put = machine.device.copyToDevice(memory->address(buffer), from, bytes); !put)
      return put;
  std::map<std::string, OperationTime> times;
  for (const CallList &list : lists) {
    RunningList running = RunningList::bind(list, *memory);
    std::vector<std::vector<double>> samples(list.all().size());
    for (int sample = 0; sample < kSamples; ++sample) {
      auto timed = running.timed(machine.device);
      if (!timed)
        return timed.error();
      for (size_t i = 0; i < samples.size(); ++i)
        samples[i].push_back((*timed)[i].seconds);
    }
    for (size_t i = 0; i < samples.size(); ++i) {
      const CallOperation &operation = *list.all()[i].operation;
      OperationTime &time = times[std::string(operation.operation())];
      std::ranges::nth_element(samples[i], samples[i].begin() + kSamples / 2);
      time.calls += 1;
      time.seconds += samples[i][kSamples / 2];
      time.flops += operation.flops();
    }
  }
  printTimes(session, times);
  return {};
}

} // namespace sparsec::cli
