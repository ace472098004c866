// The cuda device against a driver of our own (FakeDriver.cpp), and what it says on a machine
// that has none. What a GPU does is tested by the tests that every device passes.
#include "runtime/cuda/CudaDevice.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <numeric>

namespace sparsec {
namespace {

const char *fillKernel = R"(.version 8.0
.target sm_80
.address_size 64
.visible .entry fill(.param .u64 out, .param .u32 value)
{
  .reg .b32 %r<6>;
  .reg .b64 %rd<4>;
  ld.param.u64 %rd1, [out];
  ld.param.u32 %r1, [value];
  mov.u32 %r2, %tid.x;
  mov.u32 %r3, %ctaid.x;
  mov.u32 %r4, %ntid.x;
  mad.lo.u32 %r5, %r3, %r4, %r2;
  mul.wide.u32 %rd2, %r5, 4;
  add.u64 %rd3, %rd1, %rd2;
  st.global.u32 [%rd3], %r1;
  ret;
}
)";

/// Sets a variable of the environment for a scope.
struct Environment {
  Environment(const char *name, const char *value) : name(name) { setenv(name, value, 1); }
  ~Environment() { unsetenv(name); }
  const char *name;
};

CudaOptions fake() {
  return {.library = FAKE_DRIVER, .search = AssemblerSearch{.nvrtc = "none", .ptxas = "none"}};
}

int held() {
  void *library = dlopen(FAKE_DRIVER, RTLD_NOW);
  return reinterpret_cast<int (*)()>(dlsym(library, "fakeDriverHeld"))();
}

TEST(CudaDevice, SaysThatThereIsNoDriver) {
  auto device = openCudaDevice({.library = "libno-such-driver.so.1"});
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().kind, ErrorKind::Machine);
  EXPECT_EQ(device.error().message, "no NVIDIA driver: libno-such-driver.so.1 cannot be opened");
  auto other = openCudaDevice({.library = "libc.so.6"});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().message, "the NVIDIA driver is too old: libc.so.6 has no cuInit");
}

TEST(CudaDevice, SaysThatThereIsNoGpu) {
  Environment empty("FAKE_DRIVER_EMPTY", "1");
  auto device = openCudaDevice(fake());
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().kind, ErrorKind::Machine);
  EXPECT_EQ(device.error().message, "the driver finds no GPU");
}

TEST(CudaDevice, SaysWhyTheGpuCannotBeUsed) {
  Environment fails("FAKE_DRIVER_FAIL", "cuInit=999");
  auto device = openCudaDevice(fake());
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().kind, ErrorKind::Machine);
  EXPECT_EQ(device.error().message, "no GPU can be used: cuInit: unknown error (the driver has no "
                                    "words for it)");
}

TEST(CudaDevice, RefusesGpusWithoutATarget) {
  Environment turing("FAKE_DRIVER_TURING", "1");
  auto device = openCudaDevice(fake());
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().kind, ErrorKind::Machine);
  EXPECT_EQ(device.error().message, "Fake GPU is sm_76, and kernels are for sm_80 and newer");
  EXPECT_EQ(held(), 0);
}

TEST(CudaDevice, RunsAKernel) {
  {
    auto device = openCudaDevice(fake());
    ASSERT_TRUE(device) << device.error().render();
    CudaDevice &cuda = **device;
    EXPECT_EQ(cuda.name(), "cuda");
    EXPECT_EQ(cuda.description(), "Fake GPU, sm_86, 4 multiprocessors, driver 12.4");
    EXPECT_EQ(targetOf(cuda).name, "sm_86");
    EXPECT_EQ(targetOf(cuda).sharedBytes, 99 * 1024);
    auto executable = cuda.load(fillKernel, "fill");
    ASSERT_TRUE(executable) << executable.error().render();
    EXPECT_EQ(CudaDevice::assembledBy(**executable), "driver");

    auto out = cuda.allocate(64 * 4);
    ASSERT_TRUE(out) << out.error().render();
    EXPECT_EQ(*out % 256, 0u);
    uint32_t value = 7;
    const void *parameters[] = {&*out, &value};
    LaunchShape shape{.grid = {2, 1, 1}, .block = {32, 1, 1}, .sharedBytes = 98 << 10};
    auto launched = cuda.launch(**executable, shape, parameters);
    ASSERT_TRUE(launched) << launched.error().render();
    ASSERT_TRUE(cuda.synchronize());
    std::vector<uint32_t> host(64);
    ASSERT_TRUE(cuda.copyToHost(host.data(), *out, 64 * 4));
    EXPECT_EQ(host, std::vector<uint32_t>(64, 7));
    std::iota(host.begin(), host.end(), 0);
    ASSERT_TRUE(cuda.copyToDevice(*out, host.data(), 64 * 4));
    std::vector<uint32_t> back(64);
    ASSERT_TRUE(cuda.copyToHost(back.data(), *out, 64 * 4));
    EXPECT_EQ(back, host);

    shape.stream = reinterpret_cast<void *>(0x10);
    EXPECT_TRUE(cuda.launch(**executable, shape, parameters));
    shape.stream = reinterpret_cast<void *>(0x99); // the driver knows no such stream
    EXPECT_FALSE(cuda.launch(**executable, shape, parameters));
    shape.stream = nullptr;
    EXPECT_FALSE(*cuda.isCapturing(nullptr));
    EXPECT_FALSE(*cuda.isCapturing(reinterpret_cast<void *>(0x10)));
    EXPECT_TRUE(*cuda.isCapturing(reinterpret_cast<void *>(0x20)));

    auto time = cuda.timeLaunch(**executable, shape, parameters);
    ASSERT_TRUE(time) << time.error().render();
    EXPECT_EQ(*time, 1.5);
    EXPECT_TRUE(cuda.free(*out));
    auto nothing = cuda.allocate(0);
    ASSERT_TRUE(nothing);
    EXPECT_NE(*nothing, 0u);
    EXPECT_TRUE(cuda.copyToHost(nullptr, *nothing, 0));
    EXPECT_TRUE(cuda.free(*nothing));
  }
  EXPECT_EQ(held(), 0); // contexts, modules and events are given back
}

TEST(CudaDevice, RecordsLaunches) {
  {
    auto device = openCudaDevice(fake());
    ASSERT_TRUE(device) << device.error().render();
    CudaDevice &cuda = **device;
    auto executable = cuda.load(fillKernel, "fill");
    ASSERT_TRUE(executable) << executable.error().render();
    auto out = cuda.allocate(64 * 4);
    ASSERT_TRUE(out) << out.error().render();
    std::vector<uint32_t> host(64, 1);
    auto read = [&] {
      EXPECT_TRUE(cuda.copyToHost(host.data(), *out, 64 * 4));
      return host;
    };
    ASSERT_TRUE(cuda.copyToDevice(*out, host.data(), 64 * 4));
    auto fill = [&](uint32_t value, uint32_t blocks) {
      const void *parameters[] = {&*out, &value};
      return cuda.launch(**executable, {.grid = {blocks, 1, 1}, .block = {32, 1, 1}}, parameters);
    };
    auto recording = cuda.record([&]() -> Result<void> {
      EXPECT_TRUE(*cuda.isCapturing(nullptr));
      if (auto launched = fill(7, 2); !launched)
        return launched;
      return fill(9, 1);
    });
    ASSERT_TRUE(recording) << recording.error().render();
    EXPECT_FALSE(*cuda.isCapturing(nullptr));
    EXPECT_EQ(read(), std::vector<uint32_t>(64, 1)); // nothing has run
    std::vector<uint32_t> both(64, 7);
    std::fill_n(both.begin(), 32, 9u);
    for (int i = 0; i < 2; ++i) {
      EXPECT_TRUE(fill(3, 2)); // not recorded
      EXPECT_EQ(read(), std::vector<uint32_t>(64, 3));
      EXPECT_TRUE((*recording)->replay());
      EXPECT_EQ(read(), both);
    }
    // What goes wrong in between is what is said, and leaves nothing behind.
    auto refused = cuda.record([&]() -> Result<void> { return inputError("no such call"); });
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message, "no such call");
    {
      Environment fails("FAKE_DRIVER_FAIL", "cuStreamEndCapture=901");
      auto broken = cuda.record([&] { return fill(1, 1); });
      ASSERT_FALSE(broken);
      EXPECT_EQ(broken.error().message.substr(0, 18), "cuStreamEndCapture");
    }
    EXPECT_EQ(read(), both);
    EXPECT_EQ(*cuda.peakBytes(), 256);
    EXPECT_TRUE(cuda.free(*out));
  }
  EXPECT_EQ(held(), 0);
}

TEST(CudaDevice, PrefersAnAssemblerThatReports) {
  CudaOptions options{.library = FAKE_DRIVER};
  auto device = openCudaDevice(options);
  ASSERT_TRUE(device) << device.error().render();
  Assemblers assemblers = Assemblers::open(AssemblerSearch::fromEnvironment());
  if (assemblers.found.empty())
    GTEST_SKIP() << assemblers.missing[0] << "; " << assemblers.missing[1];
  auto executable = (*device)->load(fillKernel, "fill");
  ASSERT_TRUE(executable) << executable.error().render();
  EXPECT_EQ(CudaDevice::assembledBy(**executable), assemblers.found[0]->name());
  // A driver that knows none of the toolkit's cubins still has its own compiler.
  Environment old("FAKE_DRIVER_OLD", "1");
  auto again = (*device)->load(fillKernel, "fill");
  ASSERT_TRUE(again) << again.error().render();
  EXPECT_EQ(CudaDevice::assembledBy(**again), "driver");
}

TEST(CudaDevice, ReportsInTheDriversWords) {
  auto device = openCudaDevice(fake());
  ASSERT_TRUE(device) << device.error().render();
  CudaDevice &cuda = **device;
  auto executable = cuda.load(fillKernel, "fill");
  ASSERT_TRUE(executable) << executable.error().render();
  {
    Environment fails("FAKE_DRIVER_FAIL", "cuMemAlloc_v2=2");
    auto out = cuda.allocate(1000);
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().kind, ErrorKind::Machine);
    EXPECT_EQ(out.error().render(), "error: cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY (out of memory)\n"
                                    "note: 1000 bytes were asked for\n");
  }
  {
    Environment fails("FAKE_DRIVER_FAIL", "cuCtxSynchronize=700");
    auto waited = cuda.synchronize();
    ASSERT_FALSE(waited);
    EXPECT_EQ(waited.error().message, "cuCtxSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS (an illegal "
                                      "memory access was encountered)");
  }
  auto launched = cuda.launch(**executable, {.sharedBytes = 99 << 10}, {});
  ASSERT_FALSE(launched);
  EXPECT_EQ(launched.error().notes.back(),
            "grid (1, 1, 1), block (1, 1, 1), 101376 bytes of shared memory of 101376 at most");
  auto unnamed = cuda.load(fillKernel, "other");
  ASSERT_FALSE(unnamed);
  EXPECT_EQ(unnamed.error().notes.front(), "there is no kernel 'other' in this PTX");
  auto refused = cuda.load("not PTX .target sm_80\n", "fill");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().notes.front(), "ptxas fatal: not PTX");
}

TEST(CudaDevice, RefusesKernelsOfOtherGpus) {
  auto device = openCudaDevice(fake());
  ASSERT_TRUE(device) << device.error().render();
  auto refusal = [&](const std::string &ptx) {
    auto executable = (*device)->load(ptx, "fill");
    return executable ? "accepted" : executable.error().message;
  };
  EXPECT_EQ(refusal(".version 8.0\n.target sm_90\n"), "the kernel is for sm_90, and this GPU is "
                                                      "sm_86");
  EXPECT_EQ(refusal(".version 8.0\n.target sm_80a\n"), "the kernel is for sm_80a, and this GPU is "
                                                       "sm_86");
  EXPECT_EQ(refusal(".version 8.0\n.target sm_86\n"), "accepted");
  EXPECT_EQ(refusal(".version 8.0\n"), "the PTX names no target");
}

} // namespace
} // namespace sparsec
