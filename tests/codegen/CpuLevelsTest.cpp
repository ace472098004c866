// Attention at every CPU level: run where the machine can, looked at as assembly where it cannot.
#include "codegen/Compiler.h"
#include "codegen/cpu/Level.h"
#include "kernel/ops/Attention.h"
#include "runtime/cpu/CpuDevice.h"
#include "tools/verify/Verify.h"
#include "tools/verify/ops/backward/Case.h"
#include "tools/verify/ops/forward/Problem.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sparsec {
namespace {

Pattern patternOf(const std::string &text) {
  auto source = std::make_shared<SourceText>(SourceText{"-e", text});
  return *patternOfExpression(source);
}

AttentionRequest request(const std::string &level, DType dtype) {
  return {.entry = "attend",
          .attend = patternOf("causal and local(100)").heads[0].attend,
          .dtype = dtype,
          .target = *findTarget("cpu-" + level)};
}

std::vector<std::string> levelNames() {
  std::vector<std::string> names;
  for (const cpu::Level &level : cpu::levels())
    names.push_back(level.name);
  return names;
}

class CpuLevels : public ::testing::TestWithParam<std::string> {};

/// That every row of a case passes.
template <class Case>
void expectPassed(Verifier &verifier, const Case &c) {
  Result<std::vector<VerifyRow>> rows = verifier.run(c);
  ASSERT_TRUE(rows) << rows.error().render();
  for (const VerifyRow &row : *rows)
    EXPECT_TRUE(row.passed) << describe(c) << ": " << row.output << ": error " << row.error
                            << ", bound " << row.bound << ": " << row.detail;
}

TEST_P(CpuLevels, AgreeWithTheReference) {
  Result<cpu::Level> level = cpu::findLevel(GetParam());
  ASSERT_TRUE(level) << level.error().render();
  if (!cpu::hostRuns(*level))
    GTEST_SKIP() << "this machine has no " << GetParam();
  auto device = openCpuDevice({.threads = 2});
  Pattern pattern = patternOf("causal and (local(70) or k % 5 == h)");
  Verifier verifier({*device, pattern, *findTarget("cpu-" + GetParam()), compile});
  for (DType dtype : {DType::F32, DType::BF16, DType::F16})
    for (auto [headDim, valueDim, block] :
         {std::tuple(64, 64, Block{}), {80, 48, {48, 80}}, {128, 16, {16, 128}}, {16, 256, {}}}) {
      ForwardCase c{.dtype = dtype, .headDim = headDim, .valueDim = valueDim, .n = 203, .nq = 150};
      c.heads = c.kvHeads = 2;
      c.block = block;
      expectPassed(verifier, c);
    }
}

/// A loaded tile is an operand of several products there, which want it in different forms.
TEST_P(CpuLevels, GradientsAgreeWithTheReference) {
  if (!cpu::hostRuns(*cpu::findLevel(GetParam())))
    GTEST_SKIP() << "this machine has no " << GetParam();
  auto device = openCpuDevice({.threads = 2});
  Pattern pattern = patternOf("causal and (local(70) or k % 5 == h)");
  Verifier verifier({*device, pattern, *findTarget("cpu-" + GetParam()), compile});
  for (auto [headDim, valueDim, block] : {std::tuple(64, 64, Block{}), {80, 48, {48, 80}}}) {
    BackwardCase c;
    c.dtype = DType::BF16, c.headDim = headDim, c.valueDim = valueDim, c.n = 130, c.nq = 100;
    c.heads = c.kvHeads = 2;
    c.block = block;
    expectPassed(verifier, c);
  }
}

/// out of one block of 128 queries and keys, where the values of the keys from `begin` to `end` are
/// `value`.
std::vector<float> blockOf(const Pattern &pattern, const Target &target, int begin, int end,
                           float value) {
  ForwardCase c{.dtype = DType::F32, .headDim = 48, .valueDim = 48, .n = 128, .nq = 128};
  c.block = {128, 128};
  c.surround = Surround::None;
  reference::AttentionProblem problem = makeProblem(pattern, c);
  std::fill(problem.v.begin() + begin * c.valueDim, problem.v.begin() + end * c.valueDim, value);
  auto device = openCpuDevice({.threads = 1});
  AttentionRequest request{.entry = "attend",
                           .attend = pattern.heads[0].attend,
                           .dtype = c.dtype,
                           .headDim = c.headDim,
                           .valueDim = c.valueDim,
                           .block = c.block,
                           .target = target};
  auto kernel = compileKernel(request);
  EXPECT_TRUE(kernel) << kernel.error().render();
  Tensors tensors = tensorsOf(problem, c);
  Result<void> ran = run(*device, {*kernel, request}, c, tensors);
  EXPECT_TRUE(ran) << ran.error().render();
  return tensors["out"].get();
}

/// Keys that no query of a panel attends to are left out for it (plan/Masks.cpp): their values may
/// be NaN, which times a weight of 0 would be NaN as well.
TEST_P(CpuLevels, LeaveOutWhatNoQueryOfAPanelAttendsTo) {
  cpu::Level level = *cpu::findLevel(GetParam());
  if (!cpu::hostRuns(level))
    GTEST_SKIP() << "this machine has no " << GetParam();
  Target target = *findTarget("cpu-" + GetParam());
  struct {
    const char *pattern;
    int begin, end, firstQuery; ///< keys; queries of one panel
  } cases[] = {{"k <= q", level.panel(), 128, 0},
               {"k >= q", 0, 128 - level.panel(), 128 - level.panel()}};
  for (const auto &c : cases) {
    Pattern pattern = patternOf(c.pattern);
    std::vector<float> zero = blockOf(pattern, target, c.begin, c.end, 0);
    std::vector<float> nan = blockOf(pattern, target, c.begin, c.end, std::nanf(""));
    size_t from = c.firstQuery * 48, to = from + level.panel() * 48;
    for (size_t i = 0; i < nan.size(); ++i)
      if (i >= from && i < to)
        ASSERT_EQ(nan[i], zero[i]) << c.pattern << ": query " << i / 48;
    EXPECT_TRUE(std::isnan(nan[from ? 0 : nan.size() - 1])); // attends to some of them
  }
}

/// A kernel of any level calls nothing: its object has no symbol but its own.
TEST_P(CpuLevels, CallNothing) {
  for (DType dtype : {DType::F32, DType::BF16, DType::F16}) {
    Result<std::string> text = explain(request(GetParam(), dtype), "asm");
    ASSERT_TRUE(text) << text.error().render();
    EXPECT_EQ(text->find("call"), std::string::npos) << name(dtype);
  }
}

INSTANTIATE_TEST_SUITE_P(All, CpuLevels, ::testing::ValuesIn(levelNames()),
                         [](const auto &info) { return info.param; });

/// How often an instruction stands in a kernel.
int count(const std::string &text, const std::string &instruction) {
  int found = 0;
  for (size_t at = 0; (at = text.find(instruction, at)) != std::string::npos; ++at)
    ++found;
  return found;
}

TEST(CpuInstructions, AreThoseOfTheLevel) {
  std::string avx2 = *explain(request("avx2", DType::F32), "asm");
  EXPECT_GT(count(avx2, "vfmadd"), 100);
  EXPECT_EQ(count(avx2, "%zmm"), 0);
  std::string avx512 = *explain(request("avx512", DType::F32), "asm");
  EXPECT_GT(count(avx512, "%zmm"), 100);
  EXPECT_EQ(count(avx512, "bf16"), 0);
  std::string portable = *explain(request("portable", DType::F32), "asm");
  EXPECT_EQ(count(portable, "%ymm") + count(portable, "vfmadd"), 0);
}

/// Both products of bf16 attention are of pairs, and P is packed by one instruction for two rows.
TEST(CpuInstructions, Bf16ProductsTakePairs) {
  std::string pairs = *explain(request("avx512bf16", DType::BF16), "asm");
  EXPECT_GT(count(pairs, "vdpbf16ps"), 50);
  EXPECT_GT(count(pairs, "vcvtne2ps2bf16"), 0);
  // Of two products, four registers of sums each.
  std::string tiles = *explain(request("amx", DType::BF16), "asm");
  EXPECT_GE(count(tiles, "tdpbf16ps"), 8);
  EXPECT_EQ(count(tiles, "vdpbf16ps"), 0);
  EXPECT_EQ(count(tiles, "ldtilecfg"), 1);
  EXPECT_EQ(count(tiles, "tilerelease"), 1);
  std::string without = *explain(request("avx512", DType::BF16), "asm");
  EXPECT_EQ(count(without, "vdpbf16ps"), 0);
}

} // namespace
} // namespace sparsec
