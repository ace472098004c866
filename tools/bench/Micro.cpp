// Times of the steps between a pattern and its kernel, by Google Benchmark.
//
//   sparsec-micro                                   everything, a minute
//   sparsec-micro --benchmark_filter='compile|tables'
#include "codegen/Compiler.h"
#include "kernel/ops/Attention.h"
#include "layout/LaunchNumbers.h"
#include "layout/cost/Cost.h"
#include "patterns/Classify.h"

#include <benchmark/benchmark.h>

#include <cstdio>

namespace sparsec {
namespace {

constexpr int64_t kBlock = 128;

/// The predicate of a zoo pattern's first head.
Expr predicate(const std::string &name) {
  auto pattern = parsePattern(zooFile(name), {});
  if (!pattern)
    std::fputs(pattern.error().render().c_str(), stderr);
  return pattern->heads[0].attend;
}

LayoutRequest requestOf(int64_t n) {
  return {.nq = n, .nk = n, .q0 = 0, .blockQ = kBlock, .blockK = kBlock};
}

void parse(benchmark::State &state, const std::string &name) {
  auto source = zooFile(name);
  for (auto _ : state)
    benchmark::DoNotOptimize(parsePattern(source, {}));
}

/// One point after the other of a block on the diagonal.
void evaluatePoint(benchmark::State &state, const std::string &name) {
  Expr attend = predicate(name);
  Evaluator at(attend, 0, {.nq = 4096, .nk = 4096});
  int64_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(at.at(2048 + i % kBlock, 2048 + i / kBlock % kBlock));
    ++i;
  }
}

/// Blocks of one row after the other.
void classifyBlock(benchmark::State &state, const std::string &name) {
  Classifier classifier(predicate(name), 0, {.nq = 4096, .nk = 4096});
  int64_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        classifier({.q = {2048, 1, kBlock}, .k = {i % 32 * kBlock, 1, kBlock}}));
    ++i;
  }
}

void buildLayout(benchmark::State &state, const std::string &name) {
  Expr attend = predicate(name);
  for (auto _ : state)
    benchmark::DoNotOptimize(BlockLayout::build(attend, requestOf(state.range(0))));
}

void planLaunch(benchmark::State &state, const std::string &name) {
  Expr attend = predicate(name);
  for (auto _ : state)
    benchmark::DoNotOptimize(
        launchNumbers(attend, requestOf(state.range(0)), NaturalOrder{}, NaturalOrder{}, {}));
}

void weighCandidates(benchmark::State &state, const std::string &name) {
  Expr attend = predicate(name);
  for (auto _ : state)
    benchmark::DoNotOptimize(weigh(attend, requestOf(state.range(0)), {}, {}));
}

void compileOne(benchmark::State &state, const std::string &name, const std::string &target,
                DType dtype, int headDim) {
  AttentionRequest request{.entry = "kernel",
                           .attend = predicate(name),
                           .dtype = dtype,
                           .headDim = headDim,
                           .valueDim = headDim,
                           .target = *findTarget(target)};
  for (auto _ : state)
    if (auto kernel = compile(request); !kernel)
      state.SkipWithError(kernel.error().message.c_str());
}

void declare() {
  auto add = [](const std::string &step, const std::string &pattern, auto work) {
    return benchmark::RegisterBenchmark(
        (step + "/" + pattern).c_str(),
        [work, pattern](benchmark::State &state) { work(state, pattern); });
  };
  for (const std::string &name : zooNames()) {
    add("parse", name, parse);
    add("evaluate", name, evaluatePoint);
    add("classify", name, classifyBlock);
    add("layout", name, buildLayout)->Arg(4096)->Arg(65536)->Unit(benchmark::kMicrosecond);
    add("tables", name, planLaunch)->Arg(4096)->Unit(benchmark::kMicrosecond);
    add("weigh", name, weighCandidates)->Arg(4096)->Unit(benchmark::kMicrosecond);
  }
  for (const std::string &target : targetNames())
    for (DType dtype : {DType::F32, DType::BF16})
      for (int headDim : {64, 128})
        add("compile/" + target + "/" + std::string(name(dtype)) + "/" + std::to_string(headDim),
            "strided-merged",
            [=](benchmark::State &state, const std::string &pattern) {
              compileOne(state, pattern, target, dtype, headDim);
            })
            ->Unit(benchmark::kMillisecond);
}

} // namespace
} // namespace sparsec

int main(int argc, char **argv) {
  sparsec::declare();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv))
    return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
