// Streams that are being captured: what was not prepared is refused, and a launch of what was is a
// launch and nothing else. The driver is tests/runtime/cuda/FakeDriver.cpp, as libcuda.so.1.
#include "runtime/c/sparsec.hpp"
#include "tests/runtime/c/CallTensors.h"

#include <dlfcn.h>

namespace sparsec::test {
namespace {

void *const kStream = reinterpret_cast<void *>(0x10);    // FakeDriver.cpp
void *const kCapturing = reinterpret_cast<void *>(0x20); // likewise

int driverSays(const char *counter) {
  void *library = dlopen("libcuda.so.1", RTLD_NOW);
  return reinterpret_cast<int (*)()>(dlsym(library, counter))();
}
int resourceCalls() {
  return driverSays("fakeDriverResourceCalls");
}

constexpr const char *kUnprepared =
    "shape: expected one that was prepared before the stream is captured: prepare it, or launch it "
    "once, first";

/// The driver's memory is the host's.
void moveToGpu(CpuTensor &tensor) {
  tensor.tensor.device.device_type = SPARSEC_DL_CUDA;
}

TEST(Capture, UnpreparedShapesAreRefusedAndMakeNothing) {
  DeviceHandle device = openDevice("cuda");
  ASSERT_TRUE(device);
  ProgramHandle program =
      compile(device, {.text = "strided"}, {.dtype = SPARSEC_F32, .head_dim = 32, .heads = 2});
  ASSERT_TRUE(program);
  sparsec_shape shape = {.size = sizeof shape, .batch = 1, .heads = 2, .nq = 48, .n = 48};
  sparsec_plan *plan = nullptr;
  int before = resourceCalls();
  EXPECT_EQ(sparsec_prepare(program.get(), &shape, kCapturing, &plan), SPARSEC_UNPREPARED);
  EXPECT_EQ(std::string(sparsec_error()), kUnprepared);
  EXPECT_EQ(plan, nullptr);
  EXPECT_EQ(resourceCalls(), before);

  PlanHandle prepared = prepare(program, shape);
  ASSERT_TRUE(prepared);
  before = resourceCalls();
  ASSERT_OK(sparsec_prepare(program.get(), &shape, kCapturing, &plan));
  PlanHandle again(plan);
  shape.nq = 47; // another shape
  EXPECT_EQ(sparsec_prepare(program.get(), &shape, kCapturing, &plan), SPARSEC_UNPREPARED);
  EXPECT_EQ(resourceCalls(), before);
  ASSERT_OK(sparsec_prepare(program.get(), &shape, kStream, &plan)); // a stream that is not
  sparsec_release_plan(plan);
}

TEST(Capture, ALaunchOfAPreparedShapeIsALaunchAndNothingElse) {
  DeviceHandle device = openDevice("cuda");
  ProgramHandle program =
      compile(device, {.text = "strided"}, {.dtype = SPARSEC_F32, .head_dim = 32, .heads = 2});
  ASSERT_TRUE(program);
  CallTensors on({.batch = 1, .heads = 2, .nq = 48, .n = 48}, 32);
  PlanHandle plan = prepare(program, on.shape);
  ASSERT_TRUE(plan);
  for (CpuTensor *tensor :
       {&on.q, &on.k, &on.v, &on.out, &on.lse, &on.dout, &on.dlse, &on.dq, &on.dk, &on.dv})
    moveToGpu(*tensor);
  Workspace forwards(plan, SPARSEC_FORWARD), backwards(plan, SPARSEC_BACKWARD);
  sparsec_forward_call forward = on.forward(forwards);
  sparsec_backward_call backward = on.backward(backwards);
  forward.stream = backward.stream = kCapturing;
  int before = resourceCalls(), launched = driverSays("fakeDriverLaunches");
  ASSERT_OK(sparsec_forward(plan.get(), &forward));
  EXPECT_EQ(driverSays("fakeDriverLaunches"), launched + 2); // an entry each
  ASSERT_OK(sparsec_backward(plan.get(), &backward));
  EXPECT_EQ(driverSays("fakeDriverLaunches"), launched + 2 + 6); // delta, dq and dk dv of each
  EXPECT_EQ(resourceCalls(), before);
}

TEST(Capture, FromCpp) {
  auto device = sparsec::Device::open("cuda");
  ASSERT_TRUE(device) << device.error().message;
  auto attention = sparsec::compile(
      "local", {.dtype = sparsec::f32, .head_dim = 32, .backward = false, .device = *device});
  ASSERT_TRUE(attention) << attention.error().message;
  CpuTensor memory({1, 1, 48, 32}, 1), result(memory.shape);
  TensorView q(memory.values, {1, 1, 48, 32}), out(result.values, {1, 1, 48, 32});
  auto workspace = attention->workspace({.nq = 40, .n = 40}); // prepares that shape
  ASSERT_TRUE(workspace);
  auto call = [&](void *stream) {
    return attention->forward({.q = q, .k = q, .v = q, .out = out, .workspace = *workspace},
                              stream);
  };
  auto unprepared = call(kCapturing);
  ASSERT_FALSE(unprepared);
  EXPECT_EQ(unprepared.error().status, Status::Unprepared);
  EXPECT_EQ(unprepared.error().message, kUnprepared);
  ASSERT_TRUE(attention->prepare({.nq = 48, .n = 48}));
  auto done = call(kCapturing);
  EXPECT_TRUE(done) << done.error().message;
}

} // namespace
} // namespace sparsec::test
