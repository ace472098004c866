// compileKernel(), explain() and what they refuse.
#include "codegen/BlockRule.h"
#include "codegen/ChooseBlock.h"
#include "codegen/CompileTileProgram.h"
#include "codegen/Compiler.h"
#include "kernel/ops/Attention.h"
#include "kernel/ops/AttentionBackward.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <thread>

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
  Result<Kernel> kernel =
      compileTileProgram(read(SPARSEC_SOURCE "/tests/dialect/attention-forward.mlir"),
                         "local_head0", *findTarget("sm_80"));
  ASSERT_TRUE(kernel) << kernel.error().render();
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

AttentionRequest requestFor(const char *attend) {
  AttentionRequest request;
  request.entry = "kernel";
  request.attend = predicate(attend);
  request.target = *findTarget("sm_80");
  return request;
}

TEST(Compile, Causal) {
  Result<Kernel> kernel = compileKernel(requestFor("causal"));
  ASSERT_TRUE(kernel) << kernel.error().render();
  EXPECT_EQ(count(kernel->code, "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32"), 128);
  EXPECT_EQ(kernel->block, (Block{64, 64}));
  EXPECT_EQ(kernel->sharedBytes, sm80::sharedBytes(needsOf(requestFor("causal")), kernel->block));
}

TEST(Compile, SaysWhatTheKernelIs) {
  AttentionRequest request = requestFor("causal and h % 2 == 0");
  request.headDim = 128;
  request.valueDim = 48;
  request.dtype = DType::F16;
  request.block = {32, 48};
  Result<Kernel> kernel = compileKernel(request);
  ASSERT_TRUE(kernel) << kernel.error().render();
  EXPECT_EQ(kernel->code.substr(0, kernel->code.find(".version")).find("// sparsec "), 0u);
  EXPECT_EQ(count(kernel->code, "attention forward, f16, head dim 128, value dim 48, blocks of "
                                "32 x 48\n// attend: k <= q and h % 2 == 0\n"),
            1);
  EXPECT_EQ(kernel->threads, 64);
  EXPECT_EQ(kernel->block, (Block{32, 48}));
  EXPECT_EQ(count(kernel->code, ".maxntid 64"), 1);
  // Two loops; 48 columns over a depth of 128, then 48 columns of values over a depth of 48.
  EXPECT_EQ(count(kernel->code, "mma.sync"), 2 * (6 * 8 + 6 * 3));
}

TEST(Compile, EqualRequestsGiveEqualTextFromAnyThread) {
  std::vector<std::string> texts(4);
  std::vector<std::thread> threads;
  for (std::string &text : texts)
    threads.emplace_back(
        [&text] { text = compileKernel(requestFor("causal and local(9)"))->code; });
  for (std::thread &thread : threads)
    thread.join();
  for (const std::string &text : texts)
    EXPECT_EQ(text, texts[0]);
}

/// The message of what compileKernel() refuses, and that it is the user's to act on.
std::string refusal(const AttentionRequest &request) {
  Result<Kernel> kernel = compileKernel(request);
  EXPECT_FALSE(kernel);
  if (kernel)
    return "";
  EXPECT_EQ(kernel.error().kind, ErrorKind::Input);
  return kernel.error().message;
}

TEST(Compile, Refuses) {
  AttentionRequest request = requestFor("causal");
  request.headDim = 24;
  EXPECT_EQ(refusal(request), "expected a head dim of 16 to 256 in steps of 16, found 24");
  request.headDim = 272;
  EXPECT_EQ(refusal(request), "expected a head dim of 16 to 256 in steps of 16, found 272");
  request.headDim = 64;
  request.valueDim = 0;
  EXPECT_EQ(refusal(request), "expected a value dim of 16 to 256 in steps of 16, found 0");
  request.valueDim = 64;
  request.block = {64, 144};
  EXPECT_EQ(refusal(request),
            "expected a block of 16 to 128 rows and columns in steps of 16, found 64x144");
  request.block = {128, 128};
  request.headDim = request.valueDim = 256;
  EXPECT_EQ(refusal(request),
            "a block of 128x128 at head dim 256 and value dim 256 in bf16 needs 327680 bytes of "
            "shared memory, sm_80 has 166912; 64x32 fits");
  request.target = *findTarget("sm_86");
  request.block = {64, 64};
  EXPECT_EQ(refusal(request),
            "a block of 64x64 at head dim 256 and value dim 256 in bf16 needs 163840 bytes of "
            "shared memory, sm_86 has 101376; 64x32 fits");
}

TEST(Compile, RefusesPredicatesThatWouldTakeMinutes) {
  AttentionRequest request = requestFor("causal");
  for (int i = 0; i < 12; ++i) // doubles each time, as a tree
    request.attend = make(Op::Or, {request.attend, make(Op::Not, {request.attend})});
  EXPECT_EQ(refusal(request),
            "expected a predicate of at most 4096 operations for one kernel, found more");
}

TEST(Compile, HalfABlockIsCompleted) {
  AttentionRequest request = requestFor("causal");
  request.block = {32, 0};
  EXPECT_EQ(*chooseBlock(request), (Block{32, 64}));
  request.headDim = request.valueDim = 256;
  request.block = {128, 0}; // 64 KB of queries leave room for 32 keys
  EXPECT_EQ(*chooseBlock(request), (Block{128, 32}));
}

/// 64 rows stay, of queries or of keys; as many columns are fetched as there are registers for.
TEST(Compile, ABlockLeavesRegisters) {
  AttentionBackwardRequest request{
      .entry = "b", .attend = make(Op::True, {}), .target = *findTarget("sm_80")};
  EXPECT_EQ(*chooseBlock(request), (Block{64, 64}));
  request.pass = AttentionBackwardRequest::Pass::Keys;
  EXPECT_EQ(*chooseBlock(request), (Block{64, 64}));
  request.headDim = request.valueDim = 128;
  EXPECT_EQ(*chooseBlock(request), (Block{16, 64}));
}

TEST(CompileTileProgram, PointsIntoTheText) {
  Target target = *findTarget("sm_80");
  Result<Kernel> kernel = compileTileProgram("tile.kernel @kernel(%n: i32) args [\"n\"] {\n"
                                             "  tile.nothing\n  tile.return\n}\n",
                                             "kernel", target);
  ASSERT_FALSE(kernel);
  EXPECT_EQ(kernel.error().kind, ErrorKind::Input);
  ASSERT_TRUE(kernel.error().where);
  EXPECT_EQ(kernel.error().where->line, 2);
  kernel = compileTileProgram("", "kernel", target);
  ASSERT_FALSE(kernel);
  EXPECT_EQ(kernel.error().message, "expected a tile.kernel 'kernel' in the module");
}

TEST(Explain, PrintsEveryStage) {
  AttentionRequest request = requestFor("causal");
  std::map<std::string, std::string> holds = {{"sparsec", "sparsec.attention @kernel"},
                                              {"tile", "tile.fold"},
                                              {"warp", "warp.mma"},
                                              {"llvm", "define ptx_kernel void @kernel"},
                                              {"ptx", ".visible .entry kernel"}};
  for (const auto &[stage, held] : holds) {
    Result<std::string> text = explain(request, stage);
    ASSERT_TRUE(text) << text.error().render();
    EXPECT_EQ(count(*text, holds.at(stage)) > 0, true) << stage << ":\n" << *text;
  }
  EXPECT_EQ(*explain(request, "ptx"), compileKernel(request)->code);
  Result<std::string> none = explain(request, "assembly");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message,
            "expected a stage of sparsec, tile, warp, llvm, ptx, plan, asm; found 'assembly'");
}

} // namespace
