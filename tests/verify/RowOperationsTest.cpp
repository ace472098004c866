// Row operations on a device, through the harness: every kind of size, type and value, against
// float64; and that the harness would see what is wrong.
#include "codegen/Compiler.h"
#include "kernel/ops/LayerNorm.h"
#include "runtime/Embedding.h"
#include "tests/runtime/TestDevice.h"
#include "tools/verify/Verify.h"
#include "tools/verify/ops/embedding/Embedding.h"
#include "tools/verify/ops/layer_norm/LayerNorm.h"
#include "tools/verify/ops/matmul/Matmul.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sparsec {
namespace {

/// What is wrong with the cases of an operation, a line each.
std::string wrong(Device &device, std::string_view name, CaseFlags::Set set,
                  CompileFunction compiler = compile) {
  Pattern none;
  Verifier verifier({device, none, targetOf(device), std::move(compiler)});
  std::string found;
  for (const VerifyCase &c :
       findVerifyOperation(verifyOperations(), name)->cases(none, {.set = set})) {
    Result<std::vector<VerifyRow>> rows = verifier.run(c);
    if (!rows)
      return rows.error().render();
    EXPECT_FALSE(rows->empty()) << c.text();
    for (const VerifyRow &row : *rows)
      if (!row.passed)
        found += c.text() + ": " + row.output + ": " + row.detail + "\n";
  }
  return found;
}

class RowOperations : public ::testing::TestWithParam<const char *> {};

/// All sizes where kernels run as native code.
TEST_P(RowOperations, AgreeWithTheirReferences) {
  auto device = testing::openTestDevice();
  SPARSEC_SKIP_WITHOUT(device);
  bool fast = (*device)->name() != "sim";
  EXPECT_EQ(wrong(**device, GetParam(), fast ? CaseFlags::Set::Full : CaseFlags::Set::Default), "");
}

INSTANTIATE_TEST_SUITE_P(All, RowOperations,
                         ::testing::Values("layer_norm", "layer_norm_backward", "cross_entropy",
                                           "elementwise", "sample", "adam", "embedding",
                                           "embedding_gradient"),
                         [](const auto &info) { return std::string(info.param); });

/// The bytes that an operation leaves of a case on a CPU with so many threads.
std::vector<std::vector<std::byte>> outputs(const VerifyOperation &operation, const VerifyCase &c,
                                            int threads) {
  auto device = openDevice("cpu", {.threads = threads});
  EXPECT_TRUE(device) << device.error().render();
  Pattern none;
  auto trial = operation.trial(none, c);
  Tensors tensors = trial->tensors();
  auto runner = operation.runner({**device, none, targetOf(**device), compile});
  EXPECT_TRUE(tensors.upload(**device));
  EXPECT_TRUE(runner->launch(c, tensors));
  EXPECT_TRUE(tensors.download(**device));
  std::vector<std::vector<std::byte>> bytes;
  for (const Expected &each : trial->expected())
    bytes.push_back(tensors[each.output].bytes());
  return bytes;
}

TEST(RowOperationsHarness, AnyNumberOfThreadsGivesTheSameBits) {
  CaseFlags flags{.set = CaseFlags::Set::One, .dtype = DType::F32, .rows = 150, .columns = 70};
  for (const char *name : {"layer_norm_backward", "cross_entropy"}) {
    const VerifyOperation &operation = *findVerifyOperation(verifyOperations(), name);
    VerifyCase c = operation.cases({}, flags)[0];
    auto alone = outputs(operation, c, 1);
    for (int threads : {2, 5})
      EXPECT_EQ(outputs(operation, c, threads), alone) << name << ", " << threads;
  }
}

TEST(RowOperationsHarness, AnyNumberOfThreadsSortsTokensToTheSameBits) {
  EmbeddingGradientCase c;
  c.dtype = DType::F32, c.columns = 70, c.tableRows = 3000;
  c.batch = 2, c.n = 900, c.rows = 1800;
  const VerifyOperation &operation = *findVerifyOperation(verifyOperations(), "embedding_gradient");
  auto alone = outputs(operation, c, 1);
  for (int threads : {2, 5})
    EXPECT_EQ(outputs(operation, c, threads), alone) << threads;
}

/// A device that gives memory again as it was left, and from some moment on leaves out the first
/// kernel of a call of several.
class ReusingDevice : public Device {
public:
  bool leavesOut = false;

  std::string_view name() const override { return "cpu"; }
  std::string description() const override { return "memory again as it was left"; }
  Result<DeviceAddress> allocate(size_t bytes) override {
    std::vector<DeviceAddress> &free = freed[bytes];
    if (free.empty()) {
      Result<DeviceAddress> made = inner->allocate(bytes);
      if (made)
        sizes[*made] = bytes;
      return made;
    }
    DeviceAddress address = free.back();
    free.pop_back();
    return address;
  }
  Result<void> free(DeviceAddress address) override {
    freed[sizes[address]].push_back(address);
    return {};
  }
  Result<void> copyToDevice(DeviceAddress to, const void *from, size_t bytes) override {
    return inner->copyToDevice(to, from, bytes);
  }
  Result<void> copyToHost(void *to, DeviceAddress from, size_t bytes) override {
    return inner->copyToHost(to, from, bytes);
  }
  Result<std::unique_ptr<Executable>> load(const std::string &code,
                                           const std::string &entry) override {
    launches = 0;
    return inner->load(code, entry);
  }
  Result<void> launch(const Executable &executable, const LaunchShape &shape,
                      std::span<const void *const> parameters) override {
    if (launches++ == 0 && leavesOut)
      return {};
    return inner->launch(executable, shape, parameters);
  }
  Result<void> synchronize() override { return inner->synchronize(); }

private:
  std::unique_ptr<Device> inner = *openDevice("cpu");
  std::map<DeviceAddress, size_t> sizes;
  std::map<size_t, std::vector<DeviceAddress>> freed;
  int launches = 0; ///< since something was loaded
};

/// Sums that an earlier run left in a workspace do not stand in for those of this one.
TEST(RowOperationsHarness, AWorkspaceIsNotWhatAnEarlierRunLeft) {
  Pattern none;
  MatmulCase weights{.pass = MatmulRequest::Pass::WeightGradient, .in = 64, .out = 48};
  weights.rows = 3000, weights.dtype = DType::F32;
  LayerNormBackwardCase norm;
  norm.rows = 700, norm.columns = 64, norm.dtype = DType::F32;
  for (const auto &[c, output] : {std::pair<VerifyCase, const char *>{weights, "dw"},
                                  std::pair<VerifyCase, const char *>{norm, "dgain"}}) {
    ReusingDevice device;
    Verifier verifier({device, none, *findTarget("cpu"), compile});
    for (bool leavesOut : {false, true}) {
      device.leavesOut = leavesOut;
      Result<std::vector<VerifyRow>> rows = verifier.run(c);
      ASSERT_TRUE(rows) << rows.error().render();
      auto sums = std::ranges::find(*rows, output, &VerifyRow::output);
      ASSERT_NE(sums, rows->end()) << output;
      EXPECT_EQ(sums->error <= sums->bound, !leavesOut) << output << ": " << sums->detail;
    }
  }
}

/// A sorted gradient numbers the rows of all sequences: they have to lie on one grid of rows.
TEST(RowOperationsHarness, ASortedGradientRefusesSequencesBetweenRows) {
  auto device = openDevice("cpu");
  ASSERT_TRUE(device);
  EmbeddingGradientRequest request{.entry = "gradient",
                                   .columns = 16,
                                   .dtype = DType::F32,
                                   .sorted = true,
                                   .target = targetOf(**device)};
  auto gradient = EmbeddingGradient::load(**device, *compile(request), request);
  ASSERT_TRUE(gradient) << gradient.error().render();
  std::vector<std::byte> zeros(size_t{1} << 20);
  auto memory = Buffer::upload(**device, zeros);
  ASSERT_TRUE(memory);
  auto launched = [&](int64_t batch, int64_t apart, int64_t row) {
    Tensor all{.address = memory->address(), .bytes = zeros.size()};
    EmbeddingGradientCall call{.batch = batch, .n = 3, .rows = 1100, .dx = all, .gradient = all};
    call.index = {.address = memory->address(), .bytes = zeros.size(), .stride = {4, 4, 4}};
    call.dx.stride = {apart, 0, row};
    call.dx.bytes = size_t{1} << 40; // nobody gets there
    call.gradient.address += zeros.size() / 2;
    call.gradient.bytes /= 2;
    call.gradient.stride = {0, 0, 16};
    Result<void> done = gradient->launch(call);
    return done ? "" : done.error().message;
  };
  EXPECT_EQ(launched(2, 64, 16), "");
  EXPECT_EQ(launched(1, 70, 16), ""); // one sequence is a multiple of any
  EXPECT_EQ(launched(2, 72, 16),
            "dx: expected sequences a multiple of its rows' 16 elements apart, found 72");
  EXPECT_EQ(launched(2, 48, 0),
            "dx: expected sequences a multiple of its rows' 0 elements apart, found 48");
  EXPECT_EQ(launched(3, int64_t{16} << 30, 16),
            "dx: expected sequences within 2^31 rows, found 3 of them 1073741824 rows apart");
}

/// A kernel of rows one column shorter is found.
TEST(RowOperationsHarness, AWrongKernelIsFound) {
  auto device = testing::openTestDevice();
  SPARSEC_SKIP_WITHOUT(device);
  auto shorter = [](const Request &asked) {
    LayerNormRequest changed = *asked.as<LayerNormRequest>();
    changed.columns -= 1;
    return compile(changed);
  };
  CaseFlags flags{.set = CaseFlags::Set::One, .rows = 20, .columns = 65};
  Pattern none;
  Verifier verifier({**device, none, targetOf(**device), shorter});
  const VerifyOperation *norm = findVerifyOperation(verifyOperations(), "layer_norm");
  Result<std::vector<VerifyRow>> rows = verifier.run(norm->cases(none, flags)[0]);
  ASSERT_TRUE(rows) << rows.error().render();
  for (const VerifyRow &row : *rows)
    EXPECT_FALSE(row.passed) << row.output;
}

} // namespace
} // namespace sparsec
