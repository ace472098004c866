#include "tools/sparsec/BenchBackward.h"

#include "codegen/Compiler.h"

#include <algorithm>
#include <chrono>

namespace sparsec::cli {
namespace {

using Clock = std::chrono::steady_clock;

Result<CompiledBackward> compileOne(const Plan &plan, const PlannedHead &head) {
  CompiledBackward one;
  for (const PlannedPass &pass : head.passes) {
    if (pass.pass->operation != AttentionBackwardRequest::kOperation)
      continue;
    for (const AttentionBackwardRequest &request : plan.partsOf<AttentionBackwardRequest>(pass)) {
      auto begin = Clock::now();
      auto kernels = compile(request);
      if (!kernels)
        return kernels.error();
      std::chrono::duration<double, std::milli> took = Clock::now() - begin;
      one.compileMs = std::max(one.compileMs, took.count());
      bool ofKeys = request.pass == AttentionBackwardRequest::Pass::Keys;
      (ofKeys ? one.entry.keys : one.entry.queries).push_back({request, std::move(*kernels)});
    }
  }
  return one;
}

} // namespace

Result<double> predictedMs(const Plan &plan, std::string_view operation, const Layer &layer,
                           const AttentionShape &shape, const CostTarget &target) {
  double seconds = 0;
  for (const auto &[entry, heads] : usesOf(layer, shape.heads)) {
    if (heads.count == 0)
      continue;
    for (const PlannedPass &pass : plan.headOf(entry).passes) {
      if (pass.pass->operation != operation)
        continue;
      Candidate way = pass.ways.front();
      Result<void> counted =
          count(way, {.nq = shape.nq, .nk = shape.n, .q0 = shape.q0, .h = heads.first},
                pass.shapeOf(heads.count * shape.batch), target);
      if (!counted)
        return counted.error();
      seconds += way.cost.seconds;
    }
  }
  return seconds * 1e3;
}

Result<std::map<int, CompiledBackward>> compileBackward(const Plan &plan) {
  std::map<int, CompiledBackward> compiled;
  for (const PlannedHead &head : plan.heads) {
    auto one = compileOne(plan, head);
    if (!one)
      return one.error();
    for (int entry : head.entries)
      compiled.emplace(entry, *one);
  }
  return compiled;
}

Result<Contestant> backwardContestant(const BackwardBench &bench, const Plan &plan,
                                      const Layer &layer,
                                      const std::map<int, CompiledBackward> &compiled,
                                      ForwardRun &forward) {
  std::vector<BackwardEntry> entries;
  double compileMs = 0;
  for (int entry : layer.entries) {
    const CompiledBackward &each = compiled.at(entry);
    entries.push_back(each.entry);
    compileMs = std::max(compileMs, each.compileMs);
  }
  Pattern pattern = patternOf(plan.loaded.pattern, layer);
  Result<BackwardRun> loaded = BackwardRun::load(bench.device, pattern, std::move(entries), forward,
                                                 bench.forward, bench.tensors);
  if (!loaded)
    return loaded.error();
  auto run = std::make_shared<BackwardRun>(std::move(*loaded));
  const BackwardWork &work = run->work();
  const ForwardProblem &problem = bench.tensors.problem();
  Contestant one{.kind = ContestantKind::Kernel,
                 .pattern = pattern.name,
                 .layers = plan.loaded.layers.size() > 1 ? layer.indices : std::vector<int64_t>(),
                 .operation = std::string(AttentionBackwardRequest::kOperation),
                 .call = [run] { return run->enqueue(); },
                 .liveFlops = work.liveFlops(problem),
                 .computedFlops = work.computedFlops(problem),
                 .compileMs = compileMs};
  if (work.elements > 0)
    one.ideal = work.pairs / work.elements;
  if (problem.shape.q0 == 0) { // what the model knows of keys' passes
    Result<double> expected = predictedMs(plan, one.operation, layer, problem.shape, bench.target);
    if (!expected)
      return expected.error();
    one.predicted = *expected;
  }
  return one;
}

} // namespace sparsec::cli
