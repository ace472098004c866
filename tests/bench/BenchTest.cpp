// What `sparsec bench` measures: the order of the calls, the work it counts, and that the runs it
// times do run.
#include "codegen/Compiler.h"
#include "runtime/sim/SimDevice.h"
#include "tools/bench/BackwardRun.h"
#include "tools/bench/Stopwatch.h"

#include <gtest/gtest.h>

#include <numeric>

namespace sparsec {
namespace {

TEST(Stopwatch, TakesTheCallsInTurnAndSortsTheirTimes) {
  std::unique_ptr<Device> device = openSimDevice({});
  std::string order;
  auto call = [&order](char name) {
    return [&order, name]() -> Result<void> {
      order += name;
      return {};
    };
  };
  auto timings = timeInTurn(*device, {call('a'), call('b')}, {.samples = 3, .shortestSample = 0});
  ASSERT_TRUE(timings);
  // Each call once cold and once to see how many fill a sample, then three rounds.
  EXPECT_EQ(order, "aabbababab");
  for (const Timing &timing : *timings) {
    EXPECT_EQ(timing.samples, 3);
    EXPECT_EQ(timing.callsPerSample, 1);
    EXPECT_LE(timing.lowMs, timing.medianMs);
    EXPECT_LE(timing.medianMs, timing.highMs);
  }
}

TEST(Stopwatch, FillsASampleWithShortCalls) {
  std::unique_ptr<Device> device = openSimDevice({});
  auto timings = timeInTurn(*device, {[]() -> Result<void> { return {}; }},
                            {.samples = 3, .shortestSample = 1e9});
  ASSERT_TRUE(timings);
  EXPECT_EQ(timings->front().callsPerSample, 1 << 14) << "no number of calls takes so long";
}

TEST(Stopwatch, HandsOnWhatACallSays) {
  std::unique_ptr<Device> device = openSimDevice({});
  auto timings =
      timeInTurn(*device, {[]() -> Result<void> { return machineError("out of paper"); }});
  ASSERT_FALSE(timings);
  EXPECT_EQ(timings.error().message, "out of paper");
}

TEST(ForwardRun, RunsEveryHeadAndCountsItsWork) {
  std::unique_ptr<Device> device = openSimDevice({});
  auto pattern = parsePattern(zooFile("strided"), {{{"l", 8}}});
  ASSERT_TRUE(pattern);
  constexpr int64_t n = 40, batch = 2, heads = 4;
  auto tensors = ForwardTensors::allocate(
      *device, {.shape = {.batch = batch, .heads = heads, .kvHeads = 2, .nq = n, .n = n, .q0 = 0},
                .headDim = 16,
                .valueDim = 32,
                .seed = 7});
  ASSERT_TRUE(tensors);
  auto target = findTarget("sm_80");
  ASSERT_TRUE(target);
  std::vector<std::vector<AttentionPart>> kernels;
  for (const HeadEntry &head : pattern->heads) {
    AttentionRequest request{.entry = head.name,
                             .attend = head.attend,
                             .headDim = 16,
                             .valueDim = 32,
                             .block = {16, 16},
                             .target = *target};
    auto kernel = compileKernel(request);
    ASSERT_TRUE(kernel) << kernel.error().render();
    kernels.emplace_back().push_back({std::move(*kernel), std::move(request)});
  }
  auto run = ForwardRun::load(*device, *pattern, std::move(kernels), *tensors);
  ASSERT_TRUE(run) << run.error().render();

  double row = 0, column = 0;
  for (int64_t q = 0; q < n; ++q)
    for (int64_t k = 0; k <= q; ++k) {
      row += q - k < 8;
      column += (q - k) % 8 == 0;
    }
  EXPECT_EQ(run->work().elements, batch * heads / 2 * (row + column));
  EXPECT_EQ(run->work().pairs, batch * heads * n * n);
  EXPECT_GE(run->work().computed, run->work().elements);
  ASSERT_TRUE(run->enqueue());
  Result<void> done = device->synchronize();
  ASSERT_TRUE(done) << done.error().render();
}

/// The kernels of an entry, for the device cpu.
void compileBoth(const HeadEntry &head, std::vector<AttentionPart> &parts, BackwardEntry &entry) {
  auto target = findTarget("cpu");
  ASSERT_TRUE(target);
  AttentionRequest forward{.entry = head.name,
                           .attend = head.attend,
                           .dtype = DType::F32,
                           .headDim = 16,
                           .valueDim = 32,
                           .block = {16, 16},
                           .target = *target};
  auto kernel = compileKernel(forward);
  ASSERT_TRUE(kernel) << kernel.error().render();
  parts.push_back({std::move(*kernel), std::move(forward)});
  AttentionBackwardRequest backward{.entry = head.name,
                                    .attend = head.attend,
                                    .dtype = DType::F32,
                                    .headDim = 16,
                                    .valueDim = 32,
                                    .block = {16, 32},
                                    .target = *target};
  auto queries = compile(backward);
  ASSERT_TRUE(queries) << queries.error().render();
  entry.queries = {{backward, std::move(*queries)}};
  backward.pass = AttentionBackwardRequest::Pass::Keys;
  backward.block = {32, 16};
  auto keys = compile(backward);
  ASSERT_TRUE(keys) << keys.error().render();
  entry.keys = {{backward, std::move(*keys)}};
}

TEST(BackwardRun, TakesWhatForwardGaveAndCountsItsWork) {
  auto device = openDevice("cpu", {.threads = 2});
  ASSERT_TRUE(device) << device.error().render();
  auto pattern = parsePattern(zooFile("strided"), {{{"l", 8}}});
  ASSERT_TRUE(pattern);
  constexpr int64_t n = 40, batch = 2, heads = 4;
  auto tensors = ForwardTensors::allocate(
      **device, {.shape = {.batch = batch, .heads = heads, .kvHeads = 2, .nq = n, .n = n, .q0 = 0},
                 .headDim = 16,
                 .valueDim = 32,
                 .dtype = DType::F32,
                 .seed = 7});
  ASSERT_TRUE(tensors);
  std::vector<std::vector<AttentionPart>> kernels(pattern->heads.size());
  std::vector<BackwardEntry> entries(pattern->heads.size());
  for (size_t i = 0; i < entries.size(); ++i)
    ASSERT_NO_FATAL_FAILURE(compileBoth(pattern->heads[i], kernels[i], entries[i]));
  auto forward = ForwardRun::load(**device, *pattern, std::move(kernels), *tensors);
  ASSERT_TRUE(forward) << forward.error().render();
  auto gradients = BackwardTensors::allocate(**device, *tensors);
  ASSERT_TRUE(gradients);
  auto run =
      BackwardRun::load(**device, *pattern, std::move(entries), *forward, *tensors, *gradients);
  ASSERT_TRUE(run) << run.error().render();

  const BackwardWork &work = run->work();
  EXPECT_EQ(work.elements, forward->work().elements);
  EXPECT_EQ(work.pairs, forward->work().pairs);
  EXPECT_EQ(work.liveFlops(tensors->problem()), 2 * (3 * 16 + 2 * 32) * work.elements);
  EXPECT_EQ(work.computedFlops(tensors->problem()),
            2 * (2 * 16 + 32) * work.computedQueries + 2 * (2 * 16 + 2 * 32) * work.computedKeys);
  // Blocks of 16 x 32: rows have 1, 1 and 2, in both heads. Of 32 x 16: 2 and 2 of the row head, 2
  // and 3 of the column head.
  double block = batch * heads / 2 * 16 * 32;
  EXPECT_EQ(work.computedQueries, (4 + 4) * block);
  EXPECT_EQ(work.computedKeys, (4 + 5) * block);

  // Rows of the softmax sum to 1, so dv sums to what dout does: not without forward's lse.
  ASSERT_TRUE(run->enqueue());
  Result<void> done = (*device)->synchronize();
  ASSERT_TRUE(done) << done.error().render();
  AttentionBackwardCall call = gradients->call({}, {});
  auto sum = [&](const Tensor &tensor, int64_t elements) {
    std::vector<float> values(static_cast<size_t>(elements));
    EXPECT_TRUE((*device)->copyToHost(values.data(), tensor.address, values.size() * 4));
    return std::accumulate(values.begin(), values.end(), 0.0);
  };
  EXPECT_NEAR(sum(call.dv, batch * 2 * n * 32), sum(call.dout, batch * heads * n * 32), 1e-2);
}

} // namespace
} // namespace sparsec
