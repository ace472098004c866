#include "tools/sparsec/DryRun.h"

#include "model/Trainer.h"
#include "patterns/Evaluate.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <set>

namespace sparsec::cli {

std::string megabytes(int64_t bytes) {
  constexpr int64_t kGigabytes = 10'000'000'000;
  if (bytes >= kGigabytes)
    return fmt::format("{:.1f} GB", static_cast<double>(bytes) * 1e-9);
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) * 1e-6);
}

namespace {

/// Bytes of a step of one sequence: so many, and so many more for each token.
struct Linear {
  double fixed = 0, each = 0;
  double at(double n) const { return fixed + each * n; }
  int64_t longest(double room) const { return static_cast<int64_t>((room - fixed) / each); }
};

/// What a model keeps in memory, planned.
Result<int64_t> plannedBytes(Machine &planning, const Transformer &model) {
  std::vector<CallList> lists = Trainer::lists(model);
  planning.loaded.clear();
  auto memory = ListMemory::allocate(planning, lists);
  if (!memory)
    return memory.error();
  return memory->bytes() + planning.residentBytes();
}

/// From the plans at two lengths.
Result<Linear> bytesByLength(Machine &planning, const Transformer &model, bool recompute) {
  double planned[2] = {};
  int64_t n = model.config().model.length;
  for (int64_t factor : {1, 2}) {
    Config config = model.config();
    config.train.recompute = recompute;
    config.train.batchSize = config.train.microBatch = 1;
    config.model.length = factor * n;
    for (PositionConfig &table : config.model.positions)
      for (int64_t t = n; t < factor * n; ++t)
        table.rows = std::max(table.rows, 1 + evaluateInteger(table.index, {.k = t}, {}));
    auto bytes = plannedBytes(
        planning, Transformer(config, std::make_shared<const Pattern>(model.pattern())));
    if (!bytes)
      return bytes.error();
    planned[factor - 1] = static_cast<double>(*bytes);
  }
  double each = (planned[1] - planned[0]) / static_cast<double>(n);
  return Linear{planned[0] - each * static_cast<double>(n), each};
}

/// The memory table of the blog post of arXiv 1904.10509, for this model: what n x n weights in f32
/// take where every layer keeps them, or one layer at a time; beside all that a step here takes.
struct MemoryTable {
  double stored = 0, again = 0; ///< bytes of n x n weights, over n squared
  Linear ours, oursAgain;

  static Result<MemoryTable> of(Machine &planning, const Transformer &model) {
    const ModelConfig &config = model.config().model;
    auto stored = bytesByLength(planning, model, false);
    if (!stored)
      return stored.error();
    auto again = bytesByLength(planning, model, true);
    if (!again)
      return again.error();
    double heads = sizeof(float) * static_cast<double>(config.heads);
    return MemoryTable{static_cast<double>(config.layers) * heads, heads, *stored, *again};
  }
  /// At the table's lengths, and the model's.
  static std::vector<int64_t> lengths(const Transformer &model) {
    std::set<int64_t> all = {1024, 3072, 12288, 24000, 65536, 262144, 1048576};
    all.insert(model.config().model.length);
    return {all.begin(), all.end()};
  }
  std::array<double, 4> at(double n) const {
    return {stored * n * n, again * n * n, ours.at(n), oursAgain.at(n)};
  }
  std::array<int64_t, 4> longest(double room) const {
    return {static_cast<int64_t>(std::sqrt(room / stored)),
            static_cast<int64_t>(std::sqrt(room / again)), ours.longest(room),
            oursAgain.longest(room)};
  }
};
constexpr double kGigabytes[] = {16, 141}; ///< of the paper's GPU and of an H200

std::string text(const MemoryTable &table, const Transformer &model) {
  std::string out =
      fmt::format("\n{:<16}{:>32}{:>32}\n{:<16}{:>16}{:>16}{:>16}{:>16}\n", "one sequence",
                  "n x n attention weights, f32", "a whole step of this model", "n", "stored",
                  "recomputed", "stored", "recomputed");
  for (int64_t n : MemoryTable::lengths(model)) {
    out += fmt::format("{:<16}", grouped(n));
    for (double bytes : table.at(static_cast<double>(n)))
      out += fmt::format("{:>16}", megabytes(static_cast<int64_t>(bytes)));
    out += "\n";
  }
  out += "largest n in\n";
  for (double gigabytes : kGigabytes) {
    out += fmt::format("{:<16}", fmt::format("  {} GB", gigabytes));
    std::array<int64_t, 4> longest = table.longest(gigabytes * 1e9);
    for (int64_t n : longest)
      out += fmt::format("{:>16}", n > 0 ? grouped(n) : "none");
    out += fmt::format("   {:.0f} times\n",
                       static_cast<double>(longest[3]) / static_cast<double>(longest[0]));
  }
  out += "times: this model recomputed, against n x n weights stored\n";
  return out;
}

Json json(const MemoryTable &table, const Transformer &model) {
  auto row = [](const std::string &key, double value, const auto &found) {
    return Json{{key, value},
                {"dense_stored", found[0]},
                {"dense_recomputed", found[1]},
                {"stored", found[2]},
                {"recomputed", found[3]}};
  };
  Json bytes = Json::array(), longest = Json::array();
  for (int64_t n : MemoryTable::lengths(model))
    bytes.push_back(row("n", static_cast<double>(n), table.at(static_cast<double>(n))));
  for (double gigabytes : kGigabytes)
    longest.push_back(row("gigabytes", gigabytes, table.longest(gigabytes * 1e9)));
  return Json{{"bytes", bytes}, {"longest", longest}};
}

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
                            {"memory", json(*table, model)}}
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
  session.report(text(*table, model));
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
