// Every size of kernel assembles on every target: no spills, no local memory, no complaint.
#include "codegen/BlockRule.h"
#include "codegen/Compiler.h"
#include "kernel/ops/Attention.h"
#include "runtime/cuda/Gate.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

using namespace sparsec;

namespace {

struct Size {
  DType dtype = DType::BF16;
  int headDim = 64, valueDim = 64;
  const char *target = "sm_80";
  Block block = {};
};

std::vector<Size> sizes() {
  std::vector<Size> all;
  for (int dim = 16; dim <= 256; dim += 16)
    all.push_back({DType::BF16, dim, dim});
  for (int dim : {16, 80, 128, 256})
    all.push_back({DType::F16, dim, dim});
  for (int dim : {16, 48, 64, 80, 128, 192, 256})
    all.push_back({DType::F32, dim, dim});
  for (const char *target : {"sm_86", "sm_89", "sm_90"})
    for (int dim : {64, 128, 256})
      all.push_back({DType::BF16, dim, dim, target});
  all.push_back({DType::F32, 256, 256, "sm_86"});
  all.push_back({DType::BF16, 64, 256});
  all.push_back({DType::BF16, 256, 64});
  all.push_back({DType::F32, 16, 256});
  for (Block block :
       {Block{16, 16}, Block{128, 128}, Block{128, 64}, Block{64, 128}, Block{48, 112}})
    all.push_back({DType::BF16, 64, 64, "sm_80", block});
  return all;
}

std::string nameOf(const Size &size) {
  std::string block = size.block.q ? fmt::format("_{}x{}", size.block.q, size.block.k) : "";
  return fmt::format("{}_{}_{}_{}{}", name(size.dtype), size.headDim, size.valueDim, size.target,
                     block);
}

AttentionRequest requestFor(const Size &size) {
  AttentionRequest request;
  request.entry = "kernel";
  auto source = std::make_shared<SourceText>(SourceText{"-e", "causal and local(100)"});
  request.attend = *parsePredicate(source);
  request.dtype = size.dtype;
  request.headDim = size.headDim;
  request.valueDim = size.valueDim;
  request.block = size.block;
  request.target = *findTarget(size.target);
  return request;
}

class Assembles : public ::testing::TestWithParam<Size> {};

TEST_P(Assembles, WithoutSpills) {
  AttentionRequest request = requestFor(GetParam());
  Result<Kernel> kernel = compileKernel(request);
  ASSERT_TRUE(kernel) << kernel.error().render();
  EXPECT_EQ(kernel->sharedBytes, sm80::sharedBytes(needsOf(request), kernel->block));
  EXPECT_LE(kernel->sharedBytes, request.target.sharedBytes);
  static const Assemblers assemblers = Assemblers::open(AssemblerSearch::fromEnvironment());
  if (assemblers.found.empty())
    GTEST_SKIP() << "neither NVRTC nor ptxas is here";
  Result<Cubin> cubin = assemblers.assemble(kernel->code, request.target.name);
  ASSERT_TRUE(cubin) << cubin.error().render();
  Result<void> passed = gate(*cubin);
  EXPECT_TRUE(passed) << passed.error().render();
  RecordProperty("registers", cubin->report.registers);
  fmt::print("{:24} block {:3} x {:3}  {:3} threads  {:6} bytes shared  {:3} registers  {:4} "
             "bytes spilled\n",
             nameOf(GetParam()), kernel->block.q, kernel->block.k, kernel->threads,
             kernel->sharedBytes, cubin->report.registers, cubin->report.spillStores);
}

INSTANTIATE_TEST_SUITE_P(Codegen, Assembles, ::testing::ValuesIn(sizes()),
                         [](const auto &info) { return nameOf(info.param); });

} // namespace
