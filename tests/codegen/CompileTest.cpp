// From a tile program to PTX: what the code holds, and that it assembles without spills.
#include "codegen/Compile.h"
#include "codegen/ChooseBlock.h"
#include "codegen/Kernel.h"
#include "runtime/cuda/Assemble.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

using namespace sparsec;

namespace {

std::string read(const char *path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

int count(const std::string &text, const std::string &what) {
  int found = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
    ++found;
  return found;
}

TEST(Compile, AWholeTileProgram) {
  KernelRequest request;
  request.entry = "local_head0";
  request.target = *findTarget("sm_80");
  Result<Kernel> kernel =
      compileTileProgram(read(SPARSEC_SOURCE "/tests/dialect/attention-forward.mlir"), request);
  ASSERT_TRUE(kernel) << kernel.error().render();
  if (const char *path = std::getenv("SPARSEC_KEEP_PTX"))
    std::ofstream(path) << kernel->code;
  EXPECT_EQ(kernel->threads, 128);
  EXPECT_EQ(kernel->sharedBytes, 40960);
  // Partial and full loop: 64 x 64 x 64 twice, 4 x 8 instructions each.
  EXPECT_EQ(count(kernel->code, "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32"), 128);
  EXPECT_EQ(count(kernel->code, ".maxntid"), 1);
}

Expr predicate(const char *text) {
  auto source = std::make_shared<SourceText>(SourceText{"-e", text});
  Result<Expr> parsed = parsePredicate(source);
  EXPECT_TRUE(parsed) << parsed.error().render();
  return *parsed;
}

KernelRequest requestFor(const char *attend) {
  KernelRequest request;
  request.entry = "kernel";
  request.attend = predicate(attend);
  request.target = *findTarget("sm_80");
  return request;
}

TEST(Compile, Causal) {
  Result<Kernel> kernel = compile(requestFor("causal"));
  ASSERT_TRUE(kernel) << kernel.error().render();
  if (const char *path = std::getenv("SPARSEC_KEEP_PTX"))
    std::ofstream(path) << kernel->code;
  EXPECT_EQ(count(kernel->code, "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32"), 128);
  EXPECT_EQ(kernel->block, (Block{64, 64}));
  EXPECT_EQ(kernel->sharedBytes, attentionSharedBytes(requestFor("causal"), kernel->block));
  EXPECT_FALSE(kernel->usesHead);
}

} // namespace
