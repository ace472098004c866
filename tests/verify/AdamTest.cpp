// Many steps of the optimiser on a device: every number that changes from step to step lies in
// device memory, so that the same launches, with the same arguments, follow a reference that goes
// through clipping, overflows, and a loss scale that falls and grows again.
#include "runtime/Adam.h"
#include "codegen/Compiler.h"
#include "tests/reference/Adam.h"
#include "tests/runtime/TestDevice.h"
#include "tools/verify/Random.h"

#include <cmath>
#include <gtest/gtest.h>

namespace sparsec {
namespace {

constexpr AdamSettings kSettings = {.beta1 = 0.9f,
                                    .beta2 = 0.95f,
                                    .epsilon = 1e-6f,
                                    .decay = 0.1f,
                                    .mostNorm = 15,
                                    .growth = 2,
                                    .backoff = 0.5f,
                                    .leastScale = 4,
                                    .mostScale = 32,
                                    .interval = 4};

reference::AdamProblem problemOf(std::span<const AdamSegment> segments) {
  reference::AdamProblem p{.beta1 = kSettings.beta1,
                           .beta2 = kSettings.beta2,
                           .epsilon = kSettings.epsilon,
                           .decay = kSettings.decay,
                           .mostNorm = kSettings.mostNorm,
                           .lossScale = 16,
                           .growth = kSettings.growth,
                           .backoff = kSettings.backoff,
                           .leastScale = kSettings.leastScale,
                           .mostScale = kSettings.mostScale,
                           .interval = kSettings.interval};
  auto count = size_t(flatLength(segments));
  p.w = p.g = p.m = p.v = std::vector<float>(count);
  p.counts = p.decays = std::vector<bool>(count);
  for (const AdamSegment &segment : segments)
    for (int64_t i = segment.offset; i < segment.offset + segment.length; ++i)
      p.counts[i] = true, p.decays[i] = segment.decay;
  return p;
}

/// A reading of the reference that goes from step to step.
template <class T>
struct Reading {
  reference::AdamProblem given;
  reference::AdamResult<T> now;

  void step(const std::vector<float> &gradients, float rate) {
    given.g = gradients, given.rate = rate;
    now = reference::adam<T>(given);
    // What f32 memory holds between steps.
    given.w = {now.w.begin(), now.w.end()};
    given.m = {now.m.begin(), now.m.end()};
    given.v = {now.v.begin(), now.v.end()};
    given.lossScale = float(now.lossScale);
    given.step = now.step, given.clean = now.clean, given.overflows = now.overflows;
  }
};

class OnDevice {
public:
  OnDevice(Device &device, const Adam &adam, const reference::AdamProblem &p)
      : device(device), adam(adam) {
    for (const std::vector<float> *values : {&p.w, &p.g, &p.m, &p.v})
      buffers.push_back(
          std::move(*Buffer::upload(device, std::as_bytes(std::span<const float>(*values)))));
    AdamState start{.reals = {.lossScale = p.lossScale}};
    state = std::move(*Buffer::upload(device, std::as_bytes(std::span(&start, 1))));
    auto tensor = [](const Buffer &buffer) {
      return Tensor{.address = buffer.address(), .bytes = buffer.bytes()};
    };
    call = {.weights = tensor(buffers[0]),
            .gradients = tensor(buffers[1]),
            .m = tensor(buffers[2]),
            .v = tensor(buffers[3]),
            .settings = kSettings};
    call.setState(state.address());
  }

  void step(const std::vector<float> &gradients, float rate) {
    ASSERT_TRUE(device.copyToDevice(buffers[1].address(), gradients.data(), buffers[1].bytes()));
    ASSERT_TRUE(device.copyToDevice(state.address(), &rate, sizeof rate));
    Result<void> launched = adam.launch(call);
    ASSERT_TRUE(launched) << launched.error().render();
    ASSERT_TRUE(device.synchronize());
  }
  AdamState readState() {
    AdamState read;
    EXPECT_TRUE(device.copyToHost(&read, state.address(), sizeof read));
    return read;
  }
  std::vector<float> weights() {
    std::vector<float> read(buffers[0].bytes() / 4);
    EXPECT_TRUE(device.copyToHost(read.data(), buffers[0].address(), buffers[0].bytes()));
    return read;
  }

private:
  Device &device;
  const Adam &adam;
  std::vector<Buffer> buffers;
  Buffer state;
  AdamCall call;
};

TEST(Adam, FollowsItsReferenceThroughOverflows) {
  auto device = testing::openTestDevice();
  SPARSEC_SKIP_WITHOUT(device);
  AdamRequest request{.entry = "step", .target = targetOf(**device)};
  Result<std::vector<Kernel>> kernels = compile(request);
  ASSERT_TRUE(kernels) << kernels.error().render();
  std::vector<AdamLength> lengths = {{100, true}, {3, false}, {64, true}};
  std::vector<AdamSegment> segments = adamSegments(lengths);
  Result<Adam> adam = Adam::load(**device, std::move(*kernels), request, segments);
  ASSERT_TRUE(adam) << adam.error().render();
  reference::AdamProblem start = problemOf(segments);
  Reading<double> exact{start, {}};
  Reading<float> plain{start, {}};
  OnDevice found(**device, *adam, start);
  Random random(7);
  for (int i = 0; i < 24; ++i) {
    std::vector<float> gradients(start.g.size());
    for (size_t j = 0; j < gradients.size(); ++j)
      gradients[j] = start.counts[j] ? random.normal() * exact.given.lossScale : 0;
    if (i == 5 || i == 6 || i == 15)
      gradients[i] = i == 6 ? std::nanf("") : INFINITY;
    float rate = 0.01f / float(1 + i % 3);
    std::vector<float> before = found.weights();
    exact.step(gradients, rate);
    plain.step(gradients, rate);
    found.step(gradients, rate);
    ASSERT_FALSE(HasFatalFailure());
    AdamState state = found.readState();
    EXPECT_EQ(state.reals.rate, rate);
    EXPECT_EQ(state.reals.lossScale, exact.now.lossScale) << "step " << i;
    EXPECT_EQ(state.integers.step, exact.now.step);
    EXPECT_EQ(state.integers.clean, exact.now.clean);
    EXPECT_EQ(state.integers.overflow, exact.now.overflow);
    EXPECT_EQ(state.integers.overflows, exact.now.overflows);
    std::vector<float> weights = found.weights();
    if (exact.now.overflow)
      EXPECT_EQ(weights, before) << "step " << i;
    double bound = 0, most = 0;
    for (size_t j = 0; j < weights.size(); ++j) {
      bound = std::max(bound, 8 * std::abs(plain.now.w[j] - exact.now.w[j]));
      most = std::max(most, std::abs(exact.now.w[j]));
    }
    for (size_t j = 0; j < weights.size(); ++j)
      ASSERT_NEAR(weights[j], exact.now.w[j], bound + 0x1p-24 * most) << "step " << i;
  }
  EXPECT_EQ(found.readState().integers.overflows, 3);
}

TEST(Adam, RefusesSegmentsThatLeaveRowsOut) {
  auto device = testing::openTestDevice();
  SPARSEC_SKIP_WITHOUT(device);
  AdamRequest request{.entry = "step", .target = targetOf(**device)};
  Result<std::vector<Kernel>> kernels = compile(request);
  ASSERT_TRUE(kernels);
  AdamSegment segments[] = {{.offset = 0, .length = 65}, {.offset = 64, .length = 1}};
  Result<Adam> adam = Adam::load(**device, *kernels, request, segments);
  ASSERT_FALSE(adam);
  EXPECT_EQ(adam.error().message,
            "segments: expected one of at least 1 element at 128, the first free row of 64, found "
            "one of 1 at 64");
  EXPECT_FALSE(Adam::load(**device, *kernels, request, {}));
}

} // namespace
} // namespace sparsec
