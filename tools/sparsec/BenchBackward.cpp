#include "tools/sparsec/BenchBackward.h"

#include "codegen/Compiler.h"

#include <algorithm>
#include <chrono>

namespace sparsec::cli {
namespace {

using Clock = std::chrono::steady_clock;

Result<CompiledBackward> compileOne(const PlannedBackward &head) {
  CompiledBackward one{.entry = {.queries = head.queries,
                                 .keys = head.keys,
                                 .queryKernels = {},
                                 .keyKernel = {},
                                 .heads = {}}};
  auto begin = Clock::now();
  auto timed = [&](auto compiled) {
    std::chrono::duration<double, std::milli> took = Clock::now() - begin;
    one.compileMs = std::max(one.compileMs, took.count());
    begin = Clock::now();
    return compiled;
  };
  auto queries = timed(compile(head.queries));
  if (!queries)
    return queries.error();
  one.entry.queryKernels = std::move(*queries);
  auto keys = timed(compileKernel(head.keys));
  if (!keys)
    return keys.error();
  one.entry.keyKernel = std::move(*keys);
  return one;
}

} // namespace

Result<std::map<int, CompiledBackward>> compileBackward(const BackwardPlan &plan) {
  std::map<int, CompiledBackward> compiled;
  for (const PlannedBackward &head : plan.heads) {
    auto one = compileOne(head);
    if (!one)
      return one.error();
    for (int entry : head.entries)
      compiled.emplace(entry, *one);
  }
  return compiled;
}

Result<Contestant> backwardContestant(const BackwardBench &bench, const BackwardPlan &plan,
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
  return one;
}

} // namespace sparsec::cli
