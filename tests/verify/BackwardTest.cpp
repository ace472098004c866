// Attention backward on a device against float64, for every kind of pattern, size and sharing.
#include "codegen/Compiler.h"
#include "runtime/AttentionBackward.h"
#include "tests/reference/AttentionBackward.h"
#include "tests/verify/SmallZoo.h"
#include "tests/verify/TestDevice.h"
#include "tools/verify/Random.h"
#include "tools/verify/ops/forward/Problem.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace sparsec {
namespace {

using Pass = AttentionBackwardRequest::Pass;

struct BackwardRun {
  std::vector<float> dq, dk, dv;
  std::string fault; ///< what the run did to memory that it should not have
};

/// One problem, its reference, and its run on a device.
class BackwardBench {
public:
  BackwardBench(const Pattern &pattern, const ForwardCase &c, bool dlse)
      : pattern(pattern),
        c(c), problem{.forward = makeProblem(pattern, c), .dout = {}, .dlse = {}} {
    Random random(c.seed + 77);
    const reference::AttentionProblem &p = problem.forward;
    for (int64_t i = 0; i < p.batch * p.heads * p.nq * p.valueDim; ++i)
      problem.dout.push_back(roundTo(c.dtype, random.normal()));
    if (dlse)
      for (int64_t i = 0; i < p.batch * p.heads * p.nq; ++i)
        problem.dlse.push_back(random.normal());
  }

  Result<std::vector<BackwardEntry>> compileEntries(const Target &target) {
    std::vector<BackwardEntry> entries;
    for (size_t i = 0; i < pattern.heads.size(); ++i) {
      AttentionBackwardRequest request{.entry = fmt::format("entry{}", i),
                                       .attend = simplify(pattern.heads[i].attend),
                                       .dtype = c.dtype,
                                       .headDim = c.headDim,
                                       .valueDim = c.valueDim,
                                       .block = c.block,
                                       .target = target};
      BackwardEntry entry{.queries = request, .keys = request};
      entry.keys.pass = Pass::Keys;
      entry.heads = headsOfEntry(int64_t(i), int64_t(pattern.heads.size()), c.heads);
      auto queries = compile(entry.queries);
      if (!queries)
        return queries.error();
      auto keys = single(compile(entry.keys));
      if (!keys)
        return keys.error();
      entry.queryKernels = std::move(*queries);
      entry.keyKernel = std::move(*keys);
      entries.push_back(std::move(entry));
    }
    return entries;
  }

  Result<BackwardRun> run(Device &device, std::vector<BackwardEntry> entries, BlockSource source) {
    auto backward = AttentionBackward::load(device, std::move(entries), source);
    if (!backward)
      return backward.error();
    const reference::AttentionProblem &p = problem.forward;
    reference::AttentionResult<double> forward = reference::exact(p);
    std::vector<float> out, lse(forward.lse.begin(), forward.lse.end());
    for (double value : forward.out)
      out.push_back(roundTo(c.dtype, float(value)));

    std::array<int64_t, 3> queries = {p.batch, p.heads, p.nq}, keys = {p.batch, p.kvHeads, p.n};
    auto matrix = [&](const std::array<int64_t, 3> &extent, int64_t columns) {
      return HostTensor({.extent = extent,
                         .columns = columns,
                         .order = c.order,
                         .gap = c.gap,
                         .rowGap = c.rowGap,
                         .dtype = c.dtype,
                         .surround = c.surround});
    };
    auto perRow = [&] { return HostTensor({.extent = {p.batch, p.heads, 1}, .columns = p.nq}); };
    HostTensor q = matrix(queries, p.headDim), k = matrix(keys, p.headDim),
               v = matrix(keys, p.valueDim), o = matrix(queries, p.valueDim),
               dout = matrix(queries, p.valueDim), l = perRow(), dl = perRow(),
               dq = matrix(queries, p.headDim), dk = matrix(keys, p.headDim),
               dv = matrix(keys, p.valueDim);
    q.set(p.q), k.set(p.k), v.set(p.v), o.set(out), dout.set(problem.dout), l.set(lse);
    if (!problem.dlse.empty())
      dl.set(problem.dlse);
    for (HostTensor *each : {&q, &k, &v, &o, &dout, &l, &dl, &dq, &dk, &dv})
      if (auto done = each->upload(device); !done)
        return done.error();
    AttentionBackwardCall call{.shape = c.shape(),
                               .q = q.tensor(),
                               .k = k.tensor(),
                               .v = v.tensor(),
                               .out = o.tensor(),
                               .dout = dout.tensor(),
                               .lse = l.tensor(),
                               .dq = dq.tensor(),
                               .dk = dk.tensor(),
                               .dv = dv.tensor()};
    if (!problem.dlse.empty())
      call.dlse = dl.tensor();
    if (auto launched = backward->launch(call); !launched)
      return launched.error();
    if (auto done = device.synchronize(); !done)
      return done.error();
    BackwardRun result;
    for (auto [name, tensor, values] :
         {std::tuple{"dq", &dq, &result.dq}, {"dk", &dk, &result.dk}, {"dv", &dv, &result.dv}}) {
      if (auto done = tensor->download(device); !done)
        return done.error();
      if (tensor->firstOverwritten())
        result.fault = fmt::format("{}: memory outside of it was written to", name);
      if (tensor->unwritten().count)
        result.fault =
            fmt::format("{}: {} elements were not written", name, tensor->unwritten().count);
      *values = tensor->get();
    }
    return result;
  }

  /// What is wrong with a run; empty when nothing is.
  std::string judge(const BackwardRun &run) {
    if (!run.fault.empty())
      return run.fault;
    auto exact = reference::exactBackward(problem);
    auto plain = reference::plainBackward(problem, rounding(c.dtype));
    auto sizes = reference::sizesBackward(problem);
    std::string wrong = judge("dq", run.dq, exact.dq, plain.dq, sizes.dq);
    if (wrong.empty())
      wrong = judge("dk", run.dk, exact.dk, plain.dk, sizes.dk);
    if (wrong.empty())
      wrong = judge("dv", run.dv, exact.dv, plain.dv, sizes.dv);
    return wrong;
  }

  reference::BackwardProblem &inputs() { return problem; }

private:
  const Pattern &pattern;
  ForwardCase c;
  reference::BackwardProblem problem;

  std::string judge(const char *name, const std::vector<float> &found,
                    const std::vector<double> &exact, const std::vector<float> &plain,
                    const std::vector<double> &sizes) const {
    double error = 0, plainError = 0, size = 0;
    for (size_t i = 0; i < found.size(); ++i) {
      if (std::isnan(found[i]))
        return fmt::format("{}: element {} is NaN", name, i);
      error = std::max(error, std::abs(found[i] - exact[i]));
      plainError = std::max(plainError, std::abs(plain[i] - exact[i]));
      size = std::max(size, sizes[i]);
      if (sizes[i] == 0 && found[i] != 0)
        return fmt::format("{}: element {} has nothing to sum, found {}", name, i, found[i]);
    }
    double bound = (c.dtype == DType::F32 ? 8 : 2) * plainError + size * 0x1p-24;
    return error <= bound ? "" : fmt::format("{}: error {:.3g}, bound {:.3g}", name, error, bound);
  }
};

std::vector<ForwardCase> backwardCases() {
  ForwardCase base{.headDim = 32, .valueDim = 32, .n = 100, .nq = 100, .heads = 2, .kvHeads = 2};
  base.surround = Surround::Filled;
  base.block = {32, 32};
  ForwardCase grouped = base; // 6 heads on 3: with two entries every kv head gets both
  grouped.heads = 6, grouped.kvHeads = 3, grouped.batch = 2;
  grouped.order = TensorOrder::BatchRowHead;
  ForwardCase shared = base;
  shared.heads = 4, shared.kvHeads = 1, shared.headDim = 16, shared.valueDim = 48;
  ForwardCase decoding = base;
  decoding.n = 130, decoding.nq = 17, decoding.gap = 16, decoding.headDim = 80;
  ForwardCase keyless = base; // rows before the first key
  keyless.n = 40, keyless.nq = 90;
  ForwardCase one = base;
  one.n = one.nq = 1;
  return {base, grouped, shared, decoding, keyless, one};
}

class Backward : public ::testing::TestWithParam<std::tuple<std::string, DType>> {};

TEST_P(Backward, AgreesWithFloat64) {
  SPARSEC_OPEN_TEST_DEVICE(device);
  auto [zoo, dtype] = GetParam();
  Pattern pattern = testing::smallZooPattern(zoo, {{"l", 20}, {"c", 4}});
  ASSERT_FALSE(pattern.heads.empty());
  for (ForwardCase c : backwardCases()) {
    c.dtype = dtype;
    auto entries = BackwardBench(pattern, c, false).compileEntries(targetOf(device));
    ASSERT_TRUE(entries) << describe(c) << ": " << entries.error().render();
    for (bool dlse : {false, true}) {
      BackwardBench bench(pattern, c, dlse);
      Result<BackwardRun> run =
          bench.run(device, *entries, dlse ? BlockSource::Tables : BlockSource::Auto);
      ASSERT_TRUE(run) << describe(c) << ": " << run.error().render();
      EXPECT_EQ(bench.judge(*run), "") << describe(c) << (dlse ? ", with dlse" : "");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Zoo, Backward,
                         ::testing::Combine(::testing::Values("causal", "dense", "fixed",
                                                              "fixed-heads", "local", "strided",
                                                              "strided-merged", "bigbird"),
                                            ::testing::Values(DType::F32, DType::BF16, DType::F16)),
                         testing::zooTestName);

/// Two runs give the same bits.
TEST(BackwardBits, Repeat) {
  SPARSEC_OPEN_TEST_DEVICE(device);
  Pattern pattern = testing::smallZooPattern("strided", {{"l", 20}});
  ForwardCase c = backwardCases()[1];
  c.dtype = DType::F32;
  BackwardBench bench(pattern, c, true);
  auto entries = bench.compileEntries(targetOf(device));
  ASSERT_TRUE(entries) << entries.error().render();
  Result<BackwardRun> first = bench.run(device, *entries, BlockSource::Auto);
  Result<BackwardRun> second = bench.run(device, *entries, BlockSource::Auto);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->dq, second->dq);
  EXPECT_EQ(first->dk, second->dk);
  EXPECT_EQ(first->dv, second->dv);
}

} // namespace
} // namespace sparsec
