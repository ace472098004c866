// sparsec bench PATTERN...: times the kernels of patterns on a device, dense attention beside them,
// and on the cpu what the machine and OpenBLAS give in the same run.
#include "codegen/Compiler.h"
#include "runtime/KernelStore.h"
#include "tools/bench/CpuBaselines.h"
#include "tools/sparsec/BenchBackward.h"
#include "tools/sparsec/BenchDecode.h"
#include "tools/sparsec/BenchReport.h"
#include "tools/sparsec/BenchSweep.h"
#include "tools/sparsec/Command.h"
#include "tools/sparsec/DeviceFlag.h"
#include "tools/sparsec/ManyPatterns.h"
#include "tools/sparsec/OperationFlag.h"
#include "tools/sparsec/Plan.h"

#include <algorithm>
#include <chrono>
#include <fmt/core.h>
#include <map>

namespace sparsec::cli {
namespace {

constexpr int64_t kDefaultLength = 4096;

struct BenchOptions {
  ManyPatterns patterns;
  std::string device;
  std::string baselines = "all";
  int64_t batch = 1;
  int64_t samples = 15;
  std::string png;

  bool times(std::string_view operation) const {
    return std::ranges::find(patterns.flags.operations, operation) !=
           patterns.flags.operations.end();
  }
};

using Clock = std::chrono::steady_clock;

double millisecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

/// Microseconds that a second use of a head's kernels takes to find them.
Result<double> reuse(const std::vector<AttentionRequest> &requests,
                     const std::vector<AttentionPart> &parts) {
  size_t next = 0;
  KernelStore store(
      [&](const Request &) -> Result<std::vector<Kernel>> {
        return std::vector{parts[next++].kernel};
      },
      compilerVersion());
  constexpr int kUses = 1000;
  Clock::time_point begin;
  for (int use = 0; use <= kUses; ++use) {
    if (use == 1)
      begin = Clock::now();
    for (const AttentionRequest &request : requests)
      if (auto found = store.kernels(request); !found)
        return found.error();
  }
  return millisecondsSince(begin) * 1e3 / kUses;
}

/// The machine that calls are timed on, as the cost model has it.
CostTarget costTarget(const Device &device, DType dtype, int threads) {
  CostTarget target = CostTarget::of(targetOf(device).name, bytes(dtype));
  if (device.name() == "cpu")
    target.units = threads;
  return target;
}

/// The kernels of one pattern's entry, and how long it took to compile and to find them again.
struct CompiledEntry {
  std::vector<AttentionPart> parts;
  double compileMs = 0, reuseUs = 0;
};

Result<CompiledEntry> compileEntry(const std::vector<AttentionRequest> &requests) {
  CompiledEntry entry;
  for (const AttentionRequest &request : requests) {
    auto begin = Clock::now();
    Result<Kernel> kernel = compileKernel(request);
    if (!kernel)
      return kernel.error();
    entry.compileMs = std::max(entry.compileMs, millisecondsSince(begin));
    entry.parts.push_back({std::move(*kernel), request});
  }
  Result<double> again = reuse(requests, entry.parts);
  if (!again)
    return again.error();
  entry.reuseUs = *again;
  return entry;
}

/// The kernels of a pattern's layer, loaded on the device.
Result<std::shared_ptr<ForwardRun>> loadForward(Device &device, const Plan &plan,
                                                const Layer &layer,
                                                const std::map<int, CompiledEntry> &compiled,
                                                const ForwardTensors &tensors) {
  std::vector<std::vector<AttentionPart>> parts;
  for (int entry : layer.entries)
    parts.push_back(compiled.at(entry).parts);
  Result<ForwardRun> loaded =
      ForwardRun::load(device, patternOf(plan.loaded.pattern, layer), std::move(parts), tensors);
  if (!loaded)
    return loaded.error();
  return std::make_shared<ForwardRun>(std::move(*loaded));
}

Contestant forwardContestant(const Plan &plan, const Layer &layer,
                             const std::map<int, CompiledEntry> &compiled,
                             const ForwardProblem &problem,
                             const std::shared_ptr<ForwardRun> &run) {
  double compileMs = 0, reuseUs = 0;
  for (int entry : layer.entries) {
    compileMs = std::max(compileMs, compiled.at(entry).compileMs);
    reuseUs = std::max(reuseUs, compiled.at(entry).reuseUs);
  }
  const ForwardWork &work = run->work();
  double flopsPerPair = 2.0 * (problem.headDim + problem.valueDim);
  Contestant one{.kind = ContestantKind::Kernel,
                 .pattern = plan.loaded.pattern.name,
                 .layers = plan.loaded.layers.size() > 1 ? layer.indices : std::vector<int64_t>(),
                 .operation = std::string(AttentionRequest::kOperation),
                 .call = [run] { return run->enqueue(); },
                 .liveFlops = work.elements * flopsPerPair,
                 .computedFlops = work.computed * flopsPerPair,
                 .compileMs = compileMs,
                 .reuseUs = reuseUs};
  if (work.elements > 0)
    one.ideal = work.pairs / work.elements;
  return one;
}

/// A contestant for each operation that is timed and each distinct layer of a pattern.
Result<std::vector<Contestant>> prepare(const BackwardBench &bench, const Plan &plan,
                                        const BenchOptions &options) {
  const ForwardTensors &tensors = bench.forward;
  std::map<int, CompiledEntry> compiled;
  for (int entry : entriesOf(plan.loaded.layers)) {
    Result<CompiledEntry> one =
        compileEntry(plan.partsOf<AttentionRequest>(plan.headOf(entry).passes[0]));
    if (!one)
      return one.error();
    compiled.emplace(entry, std::move(*one));
  }
  bool timesBackward = options.times(AttentionBackwardRequest::kOperation);
  Result<std::map<int, CompiledBackward>> backward =
      timesBackward ? compileBackward(plan) : std::map<int, CompiledBackward>();
  if (!backward)
    return backward.error();
  std::vector<Contestant> contestants;
  for (const Layer &layer : plan.loaded.layers) {
    auto run = loadForward(bench.device, plan, layer, compiled, tensors);
    if (!run)
      return run.error();
    if (options.times(AttentionRequest::kOperation)) {
      Contestant one = forwardContestant(plan, layer, compiled, tensors.problem(), *run);
      Result<double> expected =
          predictedMs(plan, one.operation, layer, tensors.problem().shape, bench.target);
      if (!expected)
        return expected.error();
      one.predicted = *expected;
      contestants.push_back(std::move(one));
    }
    if (timesBackward) {
      auto one = backwardContestant(bench, plan, layer, *backward, **run);
      if (!one)
        return one.error();
      contestants.push_back(std::move(*one));
    }
    if (options.times(AttentionDecodeRequest::kOperation)) {
      auto one = decodeContestant(bench.device, plan, layer, tensors);
      if (!one)
        return one.error();
      contestants.push_back(std::move(*one));
    }
  }
  return contestants;
}

/// A pattern at a point of a sweep.
struct Planned {
  Plan plan;
  std::vector<std::pair<std::string, int64_t>> params;
};

/// Every pattern that was asked for at each point; dense attention first where it is wanted.
Result<std::vector<SweepPoint>> contestantsOf(const BenchOptions &options) {
  auto each = flagsOfEach(options.patterns);
  if (!each)
    return each.error();
  std::vector<SweepPoint> wanted;
  if (options.baselines != "none") {
    wanted.push_back({options.patterns.flags, {}});
    wanted.front().flags.pattern = "dense";
    wanted.front().flags.params.clear();
  }
  for (PatternFlags &flags : *each)
    if (flags.pattern == "dense" && !wanted.empty()) // as asked for, with what is wrong about it
      wanted.front().flags = std::move(flags);
    else {
      auto points = pointsOf(flags);
      if (!points)
        return points.error();
      std::ranges::move(*points, std::back_inserter(wanted));
    }
  return wanted;
}

/// Of each pattern; forward is there for the others, too: backward takes what it gives. Decode is
/// planned where it is timed (BenchDecode.h), of what a pattern's last query may see.
Result<std::vector<Planned>> plans(const BenchOptions &options, const Target &target,
                                   Ledger &ledger) {
  std::vector<Planned> made;
  auto contestants = contestantsOf(options);
  if (!contestants)
    return contestants.error();
  for (auto &[flags, params] : *contestants) {
    if (!options.times(AttentionRequest::kOperation))
      flags.operations.insert(flags.operations.begin(), std::string(AttentionRequest::kOperation));
    std::erase(flags.operations, AttentionDecodeRequest::kOperation);
    auto plan = makePlan(flags, {target}, ledger);
    if (!plan)
      return plan.error();
    if (flags.hasExpression)
      plan->loaded.pattern.name = flags.expression; // several are told apart
    made.push_back({std::move(*plan), std::move(params)});
  }
  return made;
}

/// The problem that all patterns are timed on: heads enough to use every entry of each.
ForwardProblem problemOf(const BenchOptions &options, const std::vector<Planned> &plans,
                         const Target &target, uint64_t seed) {
  int64_t heads = 1, n = kDefaultLength;
  for (const auto &[plan, params] : plans) {
    heads = std::max<int64_t>(heads, plan.loaded.heads);
    n = plan.loaded.n.value_or(n);
  }
  const PatternFlags &flags = options.patterns.flags;
  Lengths at = plans.front().plan.loaded.at(n);
  return {.shape = {.batch = options.batch,
                    .heads = heads,
                    .kvHeads = flags.kvHeads.value_or(heads),
                    .nq = at.nq,
                    .n = at.n,
                    .q0 = at.q0},
          .headDim = static_cast<int>(flags.headDim),
          .valueDim = static_cast<int>(flags.valueDim.value_or(flags.headDim)),
          .dtype = flags.dtype.value_or(defaultDType(target)),
          .seed = seed};
}

/// What is timed of each plan, on the same tensors.
Result<std::vector<Contestant>> prepareAll(const BackwardBench &bench,
                                           const std::vector<Planned> &plans,
                                           const BenchOptions &options) {
  std::vector<Contestant> contestants;
  for (const auto &[plan, params] : plans) {
    auto more = prepare(bench, plan, options);
    if (!more)
      return more.error();
    for (Contestant &one : *more) {
      one.params = params;
      contestants.push_back(std::move(one));
    }
  }
  return contestants;
}

/// Everything at one length.
Result<BenchReport> measureAll(const Session &session, const BenchOptions &options,
                               Device &device) {
  Target target = targetOf(device);
  Ledger ledger(session.threads);
  Result<std::vector<Planned>> made = plans(options, target, ledger);
  if (!made)
    return made.error();
  if (device.name() == "sim")
    return machineError("the simulator's times say nothing about a machine; bench needs "
                        "--device=cuda or cpu");

  BenchReport report{.device = std::string(device.name()),
                     .description = device.description(),
                     .operations = options.patterns.flags.operations,
                     .problem = problemOf(options, *made, target, session.seed)};
  Result<ForwardTensors> tensors = ForwardTensors::allocate(device, report.problem);
  if (!tensors)
    return tensors.error();
  BackwardBench bench{.device = device,
                      .target = costTarget(device, report.problem.dtype, session.threads),
                      .forward = *tensors,
                      .tensors = {}};
  if (options.times(AttentionBackwardRequest::kOperation)) {
    auto allocated = BackwardTensors::allocate(device, *tensors);
    if (!allocated)
      return allocated.error();
    bench.tensors = std::move(*allocated);
  }
  auto contestants = prepareAll(bench, *made, options);
  if (!contestants)
    return contestants.error();
  if (device.name() == "cpu") {
    report.threads = session.threads;
    CpuBaselines baselines =
        cpuBaselines(*tensors, session.threads,
                     options.baselines == "all" && options.times(AttentionRequest::kOperation)
                         ? Baselines::All
                         : Baselines::PeakOnly);
    report.peak = baselines.peak;
    report.blas = baselines.blas;
    std::ranges::move(baselines.contestants, std::back_inserter(*contestants));
  }
  Result<std::vector<Measured>> rows =
      measure(device, std::move(*contestants), {.samples = static_cast<int>(options.samples)});
  if (!rows)
    return rows.error();
  report.rows = std::move(*rows);
  return report;
}

Result<Answer> bench(const Session &session, BenchOptions options) {
  if (!options.png.empty() && !isSweep(options.patterns.flags))
    return inputError("--png draws a sweep: it needs several values of -n or of a --param, as "
                      "-n 1024,4096 or --param l=64,128");
  Result<std::unique_ptr<Device>> opened =
      chooseDevice(options.device, {.threads = session.threads});
  if (!opened)
    return opened.error();
  std::vector<std::optional<int64_t>> lengths(options.patterns.flags.lengths.begin(),
                                              options.patterns.flags.lengths.end());
  if (lengths.empty())
    lengths.emplace_back(); // the pattern's, or the default one
  std::vector<BenchReport> reports;
  for (const std::optional<int64_t> &n : lengths) {
    options.patterns.flags.n = n;
    auto report = measureAll(session, options, **opened);
    if (!report)
      return report.error();
    reports.push_back(std::move(*report));
  }
  if (!options.png.empty())
    if (auto written = render(plotOf(reports)).writePng(options.png); !written)
      return written.error();
  if (session.json)
    fmt::print("{}\n", json(reports).dump(2));
  else
    fmt::print("{}", text(reports, session.style));
  if (!options.png.empty())
    session.report(fmt::format("\nwrote {}\n", options.png));
  return Answer::Yes;
}

} // namespace

Action declareBench(Options &options) {
  auto asked = std::make_shared<BenchOptions>();
  asked->patterns.flags.sweeps = true;
  declareManyPatterns(options, asked->patterns);
  declareLayerFlag(options, asked->patterns.flags);
  options.heading("Bench");
  asked->patterns.flags.operations = {std::string(AttentionRequest::kOperation)};
  declareOperationFlag(options, asked->patterns.flags.operations,
                       {std::string(AttentionBackwardRequest::kOperation),
                        std::string(AttentionDecodeRequest::kOperation)});
  declareDeviceFlag(options, asked->device);
  options.integer("--batch", "sequences in a call (1)", asked->batch, {1, 65535});
  options.integer("--samples", "timings of each, fewer of what takes long (15)", asked->samples,
                  {3, 1000});
  options.choice("--baselines", "WHICH", "all; dense: our dense kernel, no OpenBLAS; or none (all)",
                 asked->baselines, {"all", "dense", "none"});
  options.value("--png", "FILE", "draw measured and predicted times of a sweep",
                [asked](const std::string &text) {
                  asked->png = text;
                  return std::string(text.ends_with(".png") ? ""
                                                            : "expected a name that ends in .png");
                });
  return [asked](Session &session) { return bench(session, *asked); };
}

} // namespace sparsec::cli
