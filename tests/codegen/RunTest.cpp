// Emitted kernels run on a device and agree with the reference: one case for each way that the
// lowering takes. The whole matrix of patterns and sizes is tests/runtime's.
#include "codegen/Compiler.h"
#include "kernel/ops/Attention.h"
#include "runtime/Device.h"
#include "tests/runtime/TestDevice.h"
#include "tools/verify/Verify.h"
#include "tools/verify/ops/forward/Case.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

using namespace sparsec;

namespace {

struct RunCase {
  const char *name;
  const char *attend = "causal";
  ForwardCase run;
  const char *target = "sm_80";
};

std::vector<RunCase> runCases() {
  auto make = [](DType dtype, int headDim, int valueDim, int64_t nq, int64_t n, Block block = {}) {
    ForwardCase c;
    c.dtype = dtype;
    c.headDim = headDim;
    c.valueDim = valueDim;
    c.nq = nq;
    c.n = n;
    c.block = block;
    return c;
  };
  std::vector<RunCase> cases = {
      {"bf16", "causal", make(DType::BF16, 64, 64, 192, 192)},
      {"f16", "causal", make(DType::F16, 64, 64, 192, 192)},
      {"f32", "causal", make(DType::F32, 64, 64, 192, 192)},
      {"local", "causal and local(70)", make(DType::BF16, 64, 64, 300, 300)},
      {"ragged", "causal", make(DType::BF16, 64, 64, 77, 203)},
      {"longer_queries", "causal", make(DType::BF16, 64, 64, 203, 77)},
      {"every", "causal and every(5) or h % 2 == 1 and q == k",
       make(DType::BF16, 64, 64, 131, 131)},
      {"dense", "k >= 0", make(DType::F16, 64, 64, 65, 257)},
  };
  auto add = [&](const char *name, ForwardCase c, const char *target = "sm_80") {
    cases.push_back({name, "causal", c, target});
  };
  // Every form of tile: padded and swizzled rows, one and several chunks a thread, registers and
  // shared memory for q.
  add("dim16", make(DType::BF16, 16, 16, 150, 150));
  add("dim32", make(DType::F16, 32, 32, 150, 150));
  add("dim80", make(DType::BF16, 80, 80, 150, 150));
  add("dim96", make(DType::BF16, 96, 96, 150, 150));
  add("dim128", make(DType::BF16, 128, 128, 150, 150));
  add("dim256", make(DType::BF16, 256, 256, 150, 150));
  add("dim256_sm86", make(DType::F16, 256, 256, 150, 150), "sm_86");
  add("value_dim", make(DType::BF16, 64, 128, 150, 150));
  add("value_dim_small", make(DType::F16, 128, 16, 150, 150));
  add("f32_dim16", make(DType::F32, 16, 16, 100, 100));
  add("f32_dim80", make(DType::F32, 80, 48, 100, 100));
  add("f32_dim256", make(DType::F32, 256, 256, 60, 60));
  // Rectangular blocks, and numbers of threads that rows do not divide.
  add("block16x16", make(DType::BF16, 64, 64, 100, 100, {16, 16}));
  add("block128x64", make(DType::BF16, 64, 64, 300, 300, {128, 64}));
  add("block64x128", make(DType::BF16, 64, 64, 300, 300, {64, 128}));
  add("block48x80", make(DType::BF16, 64, 64, 200, 200, {48, 80}));
  add("block96x16", make(DType::BF16, 80, 16, 200, 200, {96, 16}));
  add("block128x16_dim16", make(DType::BF16, 16, 16, 200, 200, {128, 16}));
  add("f32_block48x48", make(DType::F32, 32, 32, 100, 100, {48, 48}));
  ForwardCase grouped = make(DType::BF16, 64, 64, 90, 130);
  grouped.heads = 4;
  grouped.kvHeads = 2;
  grouped.batch = 2;
  add("grouped", grouped);
  ForwardCase quiet = make(DType::BF16, 64, 64, 90, 130);
  quiet.lse = LseOutput::NotWanted;
  add("no_lse", quiet);
  return cases;
}

class Run : public ::testing::TestWithParam<RunCase> {};

TEST_P(Run, AgreesWithTheReference) {
  Result<std::unique_ptr<Device>> device = sparsec::testing::openTestDevice();
  if (!device && device.error().kind == ErrorKind::Machine)
    GTEST_SKIP() << device.error().message;
  ASSERT_TRUE(device) << device.error().render();
  RunCase c = GetParam();
  if (c.run.heads == 1)
    c.run.heads = c.run.kvHeads = 2;
  auto source = std::make_shared<SourceText>(SourceText{"-e", c.attend});
  Result<Pattern> pattern = patternOfExpression(source);
  ASSERT_TRUE(pattern) << pattern.error().render();
  Verifier verifier({**device, *pattern,
                     (*device)->name() == "cpu" ? targetOf(**device) : *findTarget(c.target),
                     compile});
  Result<std::vector<VerifyRow>> rows = verifier.run(c.run);
  ASSERT_TRUE(rows) << rows.error().render();
  for (const VerifyRow &row : *rows)
    EXPECT_TRUE(row.passed) << row.testCase.text() << ": " << row.output << ": error " << row.error
                            << ", bound " << row.bound << "\n"
                            << row.detail;
}

INSTANTIATE_TEST_SUITE_P(Codegen, Run, ::testing::ValuesIn(runCases()),
                         [](const auto &info) { return info.param.name; });

} // namespace
