// What `sparsec bench` measures: the order of the calls, the work it counts, and that the runs it
// times do run.
#include "codegen/Compiler.h"
#include "runtime/sim/SimDevice.h"
#include "tools/bench/ForwardRun.h"
#include "tools/bench/Stopwatch.h"

#include <gtest/gtest.h>

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

} // namespace
} // namespace sparsec
