// The cpu device without the compiler: a shared object that g++ made (PlainKernel.cpp), opened, run
// over its grid and compared with the reference. The asan preset runs it too, kernel and all.
#include "runtime/cpu/CpuDevice.h"
#include "tests/verify/GuardedDevice.h"
#include "tests/verify/PlainArguments.h"
#include "tests/verify/PlainSignature.h"
#include "tools/verify/Verify.h"
#include "tools/verify/ops/forward/Case.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <thread>

namespace sparsec::testing {
namespace {

std::string plainKernelCode() {
  std::ifstream file(SPARSEC_PLAIN_KERNEL, std::ios::binary);
  std::ostringstream contents;
  contents << file.rdbuf();
  return contents.str();
}

/// What the compiler would return; PlainKernel.cpp says the same numbers.
Kernel plainKernel() {
  Kernel kernel;
  kernel.entry = "plain_attention";
  kernel.code = plainKernelCode();
  kernel.target = *findTarget("cpu");
  kernel.signature = plainSignature();
  kernel.block = {16, 16};
  kernel.scratchBytes = 64;
  return kernel;
}

TEST(PlainKernel, SignatureIsThatOfTheStruct) {
  Signature signature = plainSignature();
  EXPECT_EQ(signature.find("lse")->offset, int(offsetof(PlainArguments, lse)));
  EXPECT_EQ(signature.find("row_order")->offset, int(offsetof(PlainArguments, rowOrder)));
  EXPECT_EQ(signature.find("out_stride")->offset, int(offsetof(PlainArguments, outStride)));
  EXPECT_EQ(signature.find("scale")->offset, int(offsetof(PlainArguments, scale)));
  EXPECT_EQ(signature.bytes(), int(sizeof(PlainArguments)));
}

Pattern pattern() {
  auto text = std::make_shared<SourceText>(SourceText{"test", "causal and local(20)"});
  return {.name = "window", .heads = {{.name = "recent", .attend = *parsePredicate(text)}}};
}

std::vector<ForwardCase> cases() {
  ForwardCase base{.dtype = DType::F32, .headDim = 32, .valueDim = 48, .n = 100, .nq = 100};
  ForwardCase grouped = base;
  grouped.heads = 6;
  grouped.kvHeads = 2;
  grouped.batch = 2;
  grouped.order = TensorOrder::BatchRowHead;
  grouped.runs = 2;
  ForwardCase decoding = base;
  decoding.n = 77;
  decoding.nq = 13;
  decoding.heads = decoding.kvHeads = 3;
  decoding.gap = 12;
  decoding.rowGap = 3;
  ForwardCase keyless = base; // rows before the first key
  keyless.n = 40;
  keyless.nq = 90;
  keyless.lse = LseOutput::NotWanted;
  ForwardCase one = base;
  one.n = one.nq = 1;
  return {base, grouped, decoding, keyless, one};
}

void agreesWithTheReference(Device &device) {
  Pattern window = pattern();
  Verifier verifier(
      {device, window, targetOf(device),
       [](const Request &) -> Result<std::vector<Kernel>> { return std::vector{plainKernel()}; },
       BlockSource::Tables});
  for (const ForwardCase &c : cases()) {
    CrashNote note(describe(c));
    auto rows = verifier.run(c);
    ASSERT_TRUE(rows) << rows.error().render();
    for (const VerifyRow &row : *rows)
      EXPECT_TRUE(row.passed) << describe(c) << ": " << row.output << ": error " << row.error
                              << ", bound " << row.bound << ": " << row.detail;
  }
}

TEST(PlainKernel, AgreesWithTheReferenceOnAnyNumberOfThreads) {
  for (int threads : {1, 2, 5})
    agreesWithTheReference(*openCpuDevice({.threads = threads}));
}

TEST(PlainKernel, TouchesNothingElse) {
  for (Guard guard : {Guard::Before, Guard::After}) {
    GuardedDevice device(guard);
    agreesWithTheReference(device);
  }
}

TEST(CpuDevice, ATileIsComputedByTheThreadThatLaunchesIt) {
  std::unique_ptr<Device> device = openCpuDevice({.threads = 3});
  auto counter = device->load(plainKernelCode(), "slice_counter");
  ASSERT_TRUE(counter) << counter.error().render();
  auto calls = [&](uint32_t rows, int64_t pairs) {
    std::array<std::atomic<int>, 5> made = {};
    std::atomic<int> others = 0;
    SliceCounts counts{made.data(), &others, std::this_thread::get_id()};
    const void *parameters[] = {&counts};
    auto done = device->launch(**counter, {.grid = {rows, 1, 1}, .pairs = pairs}, parameters);
    EXPECT_TRUE(done) << done.error().render();
    if (0 <= pairs && pairs <= 64 * 64)
      EXPECT_EQ(others, 0);
    return std::vector<int>(made.begin(), made.end());
  };
  EXPECT_EQ(calls(1, 64 * 64), (std::vector{1, 0, 0, 0, 0}));
  EXPECT_EQ(calls(1, 0), (std::vector{1, 0, 0, 0, 0}));
  EXPECT_EQ(calls(1, 64 * 64 + 1), (std::vector{0, 1, 1, 1, 1}));
  EXPECT_EQ(calls(1, -1), (std::vector{0, 1, 1, 1, 1})); // nobody knows
  EXPECT_EQ(calls(5, 64), (std::vector{5, 0, 0, 0, 0}));
  EXPECT_EQ(calls(5, 1 << 20), (std::vector{2, 3, 3, 3, 3})); // the last row of each worker
}

TEST(CpuDevice, RefusesWhatIsNoKernel) {
  std::unique_ptr<Device> device = openCpuDevice({.threads = 1});
  std::string code = plainKernelCode();
  for (const std::string &each :
       {std::string(), std::string("not a shared object"), code.substr(0, 60)})
    EXPECT_FALSE(device->load(each, "plain_attention"));
  auto missing = device->load(code, "no_such_entry");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "expected a kernel 'no_such_entry' in the shared object");
  auto loaded = device->load(code, "plain_attention"); // and none of it did harm
  EXPECT_TRUE(loaded) << loaded.error().render();
}

} // namespace
} // namespace sparsec::testing
