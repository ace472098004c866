// sparsec bench PATTERN...: times the kernels of patterns on a device, dense attention beside them.
#include "tools/bench/ForwardRun.h"
#include "tools/bench/Stopwatch.h"
#include "tools/sparsec/Command.h"
#include "tools/sparsec/DeviceFlag.h"
#include "tools/sparsec/Plan.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace sparsec::cli {
namespace {

constexpr int64_t kDefaultLength = 4096;

struct BenchOptions {
  PatternFlags pattern;
  std::vector<std::string> more; ///< patterns after the first
  std::string device;
  int64_t batch = 1;
  int64_t samples = 15;
};

/// One pattern, loaded on the device.
struct Contestant {
  std::string name;
  int64_t n = 0;
  ForwardRun run;
};

Result<Contestant> prepare(Device &device, const Plan &plan, const ForwardTensors &tensors) {
  const Pattern &pattern = plan.loaded.pattern;
  std::vector<Kernel> kernels;
  for (size_t entry = 0; entry < pattern.heads.size(); ++entry) {
    Result<Kernel> kernel = compile(plan.kernelOf(static_cast<int>(entry)).request);
    if (!kernel)
      return kernel.error();
    kernels.push_back(std::move(*kernel));
  }
  Result<ForwardRun> run = ForwardRun::load(device, pattern, std::move(kernels), tensors);
  if (!run)
    return run.error();
  return Contestant{pattern.name, tensors.problem().shape.n, std::move(*run)};
}

nlohmann::ordered_json json(const Contestant &one, const Timing &timing, const Timing &dense,
                            const ForwardProblem &problem) {
  const ForwardWork &work = one.run.work();
  double flopsPerPair = 2.0 * (problem.headDim + problem.valueDim);
  double seconds = timing.medianMs * 1e-3;
  return {{"pattern", one.name},
          {"operation", "forward"},
          {"n", one.n},
          {"batch", problem.shape.batch},
          {"heads", problem.shape.heads},
          {"kv_heads", problem.shape.kvHeads},
          {"head_dim", problem.headDim},
          {"dtype", name(problem.dtype)},
          {"threads", nullptr},
          {"median_ms", timing.medianMs},
          {"low_ms", timing.lowMs},
          {"high_ms", timing.highMs},
          {"samples", timing.samples},
          {"calls_per_sample", timing.callsPerSample},
          {"gflops_live", work.elements * flopsPerPair / seconds * 1e-9},
          {"gflops_computed", work.computed * flopsPerPair / seconds * 1e-9},
          {"fraction_of_peak", nullptr},
          {"speedup_over_dense", dense.medianMs / timing.medianMs},
          {"ideal_speedup", work.elements > 0 ? nlohmann::ordered_json(work.pairs / work.elements)
                                              : nlohmann::ordered_json(nullptr)}};
}

std::string table(const nlohmann::ordered_json &rows, const Style &style) {
  Table table({{"pattern"},
               {"n", Table::Right},
               {"ms", Table::Right},
               {"quartiles", Table::Right},
               {"GFLOP/s live", Table::Right},
               {"computed", Table::Right},
               {"over dense", Table::Right},
               {"ideal", Table::Right}});
  for (const auto &row : rows)
    table.add({row["pattern"], grouped(row["n"]), fmt::format("{:.4f}", double(row["median_ms"])),
               fmt::format("{:.4f} .. {:.4f}", double(row["low_ms"]), double(row["high_ms"])),
               grouped(static_cast<int64_t>(double(row["gflops_live"]))),
               grouped(static_cast<int64_t>(double(row["gflops_computed"]))),
               fmt::format("{:.2f}x", double(row["speedup_over_dense"])),
               row["ideal_speedup"].is_null()
                   ? "-"
                   : fmt::format("{:.2f}x", double(row["ideal_speedup"]))});
  return table.render(style);
}

/// The plans of what was asked for, dense attention first.
Result<std::vector<Plan>> plans(const BenchOptions &options) {
  auto target = findTarget("sm_80");
  if (!target)
    return target.error();
  std::vector<PatternFlags> wanted(1, options.pattern);
  for (const std::string &name : options.more) {
    wanted.push_back(options.pattern);
    wanted.back().pattern = name;
    wanted.back().hasExpression = false;
  }
  std::vector<Plan> made;
  for (const PatternFlags &flags : wanted) {
    auto plan = makePlan(flags, {*target});
    if (!plan)
      return plan.error();
    made.push_back(std::move(*plan));
  }
  PatternFlags dense = options.pattern;
  dense.pattern = "dense";
  dense.hasExpression = false;
  dense.params.clear();
  auto plan = makePlan(dense, {*target});
  if (!plan)
    return plan.error();
  made.insert(made.begin(), std::move(*plan));
  return made;
}

Result<Answer> bench(const Session &session, const BenchOptions &options) {
  Result<std::vector<Plan>> made = plans(options);
  if (!made)
    return made.error();
  Result<std::unique_ptr<Device>> device = chooseDevice(options.device);
  if (!device)
    return device.error();
  if ((*device)->name() == "sim")
    return machineError("the simulator's times say nothing about a GPU; bench needs --device=cuda");

  int64_t heads = 1; // of the model: every entry of every pattern is used
  for (const Plan &plan : *made)
    heads = std::max<int64_t>(heads, plan.loaded.heads);
  const PatternFlags &flags = options.pattern;
  int64_t n = flags.n.value_or(kDefaultLength);
  ForwardProblem problem{.shape = {.batch = options.batch,
                                   .heads = heads,
                                   .kvHeads = flags.kvHeads.value_or(heads),
                                   .nq = n,
                                   .n = n,
                                   .q0 = 0},
                         .headDim = static_cast<int>(flags.headDim),
                         .valueDim = static_cast<int>(flags.valueDim.value_or(flags.headDim)),
                         .dtype = flags.dtype.value_or(DType::BF16),
                         .seed = session.seed};
  Result<ForwardTensors> tensors = ForwardTensors::allocate(**device, problem);
  if (!tensors)
    return tensors.error();

  std::vector<Contestant> contestants;
  for (const Plan &plan : *made) {
    Result<Contestant> one = prepare(**device, plan, *tensors);
    if (!one)
      return one.error();
    contestants.push_back(std::move(*one));
  }
  std::vector<Enqueue> calls;
  for (Contestant &one : contestants)
    calls.push_back([&one] { return one.run.enqueue(); });
  Result<std::vector<Timing>> timings =
      timeInTurn(**device, calls, {.samples = static_cast<int>(options.samples)});
  if (!timings)
    return timings.error();

  auto rows = nlohmann::ordered_json::array();
  for (size_t i = 0; i < contestants.size(); ++i)
    rows.push_back(json(contestants[i], (*timings)[i], timings->front(), problem));
  if (session.json) {
    fmt::print("{}\n", nlohmann::ordered_json{{"device", (*device)->name()},
                                              {"description", (*device)->description()},
                                              {"rows", rows}}
                           .dump(2));
    return Answer::Yes;
  }
  fmt::print("{}\nforward, {}, head dim {}, batch {}, {} heads ({} kv)\n\n{}",
             (*device)->description(), name(problem.dtype), problem.headDim, problem.shape.batch,
             heads, problem.shape.kvHeads, table(rows, session.style));
  return Answer::Yes;
}

} // namespace

Action declareBench(CLI::App &app) {
  auto options = std::make_shared<BenchOptions>();
  declarePatternFlags(app, options->pattern);
  app.add_option("PATTERNS", options->more);
  addInteger(app, "--batch", "sequences in a call (1)", options->batch, {1, 65535});
  addInteger(app, "--samples", "timings of each pattern (15)", options->samples, {3, 1000});
  declareDeviceFlag(app, options->device)->group("Bench");
  return [options](Session &session) { return bench(session, *options); };
}

} // namespace sparsec::cli
