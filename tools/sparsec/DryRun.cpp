#include "tools/sparsec/DryRun.h"

#include "model/Run.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

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
  int64_t longest(double room) const { return static_cast<int64_t>((room - fixed) / each); }
};

/// From the plans at two lengths. `beside`: what no list for training has.
Linear bytesByLength(const Transformer &model, bool recompute, int64_t beside) {
  double planned[2] = {};
  int64_t n = model.config().model.length;
  for (int64_t factor : {1, 2}) {
    Config config = model.config();
    config.train.recompute = recompute;
    config.model.length = factor * n;
    Transformer longer(config, std::make_shared<const Pattern>(model.pattern()));
    planned[factor - 1] = static_cast<double>(
        longer.list(ListUse::Train, {.batch = 1, .sequences = 1}).plan().bytes() + beside);
  }
  double each = (planned[1] - planned[0]) / static_cast<double>(n);
  return {planned[0] - each * static_cast<double>(n), each};
}

/// The memory table of the blog post of arXiv 1904.10509, for this model: what n x n weights in f32
/// take where a layer keeps them, or one layer at a time; beside all that a step here takes.
std::string memoryTable(const Transformer &model, int64_t beside) {
  const ModelConfig &config = model.config().model;
  auto n = static_cast<double>(config.length);
  double heads = 4 * static_cast<double>(config.heads);
  double layers = static_cast<double>(config.layers);
  Linear stored = bytesByLength(model, false, beside), again = bytesByLength(model, true, beside);
  std::string out = fmt::format("\none sequence of n tokens{:>29}{:>16}\n", "stored", "recomputed");
  auto row = [&](const std::string &what, const std::string &a, const std::string &b) {
    out += fmt::format("  {:<36}{:>16}{:>16}\n", what, a, b);
  };
  auto bytes = [](double count) { return megabytes(static_cast<int64_t>(count)); };
  row("n x n attention weights in f32", bytes(layers * heads * n * n), bytes(heads * n * n));
  row("a whole step of this model", bytes(stored.fixed + stored.each * n),
      bytes(again.fixed + again.each * n));
  for (double gigabytes : {16.0, 141.0}) {
    double room = gigabytes * 1e9;
    row(fmt::format("largest n in {} GB, n x n weights", gigabytes),
        fmt::format("{:.0f}", std::floor(std::sqrt(room / (layers * heads)))),
        fmt::format("{:.0f}", std::floor(std::sqrt(room / heads))));
    row(fmt::format("largest n in {} GB, this model", gigabytes),
        fmt::format("{}", stored.longest(room)), fmt::format("{}", again.longest(room)));
  }
  return out;
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

void dryRun(const Session &session, const Transformer &model) {
  const TrainConfig &train = model.config().train;
  TransformerSizes sizes{.batch = train.microBatch, .sequences = train.batchSize};
  CallList step = model.list(ListUse::Train, sizes), update = model.update();
  MemoryPlan plan = step.plan(), ofUpdate = update.plan();
  int64_t kept = 0; // moments and the optimiser's state are the update's alone
  for (const BufferInfo &buffer : update.allBuffers())
    if (buffer.name == buffers::kFirst || buffer.name == buffers::kSecond)
      kept += buffer.bytes;
  if (session.json) {
    Json calls = Json::array();
    double flops = 0;
    for (const CallList *list : {&step, &update})
      for (const Call &call : list->all()) {
        calls.push_back({{"name", call.name},
                         {"operation", call.operation->operation()},
                         {"shape", call.operation->shape()},
                         {"flops", call.operation->flops()}});
        flops += call.operation->flops();
      }
    Json all = {{"parameters", model.parameters().count()},
                {"calls", calls},
                {"flops", flops},
                {"arena_bytes", plan.arenaBytes},
                {"planned_bytes", plan.bytes() + kept}};
    fmt::print("{}\n", all.dump(2));
    return;
  }
  session.report(step.print() + update.print());
  session.report(fmt::format(
      "\n{} parameters; {} calls for {} sequence{} of {} tokens\n"
      "memory {}: {} of activations ({} are alive at once), {} of weights, gradients, moments and "
      "batch\n",
      model.parameters().count(), step.all().size() + update.all().size(), train.microBatch,
      train.microBatch == 1 ? "" : "s", model.config().model.length, megabytes(plan.bytes() + kept),
      megabytes(plan.arenaBytes), megabytes(plan.lowerBound), megabytes(plan.keptBytes + kept)));
  session.report(memoryTable(model, kept));
}

Result<void> timeStep(const Session &session, const Transformer &model, Machine &machine) {
  constexpr int kSamples = 5;
  const TrainConfig &train = model.config().train;
  CallList lists[] = {
      model.list(ListUse::Train, {.batch = train.microBatch, .sequences = train.batchSize}),
      model.update()};
  const CallList *both[] = {&lists[0], &lists[1]};
  auto memory = ListMemory::allocate(machine.device, both);
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
    auto running = RunningList::load(machine, list, *memory);
    if (!running)
      return running.error();
    std::vector<std::vector<double>> samples(list.all().size());
    for (int sample = 0; sample < kSamples; ++sample) {
      auto timed = running->timed(machine.device);
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
