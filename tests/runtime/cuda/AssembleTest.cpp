// The assemblers' reports and refusals, and a machine that has none of them.
#include "runtime/cuda/Assemble.h"
#include "tests/runtime/cuda/Kernels.h"

#include <filesystem>
#include <gtest/gtest.h>

namespace sparsec {
namespace {

TEST(AssembleReport, ReadsTheLog) {
  AssembleReport report = parseAssemblerLog(
      R"(ptxas warning : Value of threads per SM is out of range
ptxas info    : (C7512) Potential Performance Loss: wgmma.mma_async instructions are serialized
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'a' for 'sm_80'
ptxas info    : Function properties for a
    424 bytes stack frame, 420 bytes spill stores, 416 bytes spill loads
ptxas info    : Used 24 registers, used 1 barriers, 1024 bytes smem, 360 bytes cmem[0]
ptxas info    : Function properties for b
ptxas         .     8 bytes stack frame, 4 bytes spill stores, 8 bytes spill loads
ptxas info    : Used 78 registers, used 0 barriers, 16 bytes smem
ptxas info    : (C7500) first, (C7599) last)");
  EXPECT_EQ(report.registers, 78);
  EXPECT_EQ(report.stack, 424);
  EXPECT_EQ(report.spillStores, 424);
  EXPECT_EQ(report.spillLoads, 424);
  EXPECT_EQ(report.shared, 1024);
  ASSERT_EQ(report.warnings.size(), 1u);
  EXPECT_EQ(report.warnings[0], "ptxas warning : Value of threads per SM is out of range");
  ASSERT_EQ(report.concerns.size(), 2u);
  EXPECT_NE(report.concerns[0].find("(C7512)"), std::string::npos);
  EXPECT_NE(report.concerns[1].find("(C7599)"), std::string::npos);
  EXPECT_TRUE(parseAssemblerLog("C750, C75123, C7A00").concerns.empty());
  EXPECT_EQ(parseAssemblerLog("").registers, 0);
}

TEST(Assemblers, SayWhatIsMissing) {
  Assemblers none = Assemblers::open({.nvrtc = "none", .ptxas = "none"});
  EXPECT_TRUE(none.found.empty());
  ASSERT_EQ(none.missing.size(), 2u);
  EXPECT_EQ(none.missing[0], "nvrtc: turned off by $SPARSEC_NVRTC");
  EXPECT_EQ(none.missing[1], "ptxas: turned off by $SPARSEC_PTXAS");
  Result<Cubin> cubin = none.assemble(testing::tileKernel(), "sm_80");
  ASSERT_FALSE(cubin);
  EXPECT_EQ(cubin.error().kind, ErrorKind::Machine);
  EXPECT_EQ(cubin.error().render(), "error: neither NVRTC nor ptxas was found to assemble PTX\n"
                                    "note: nvrtc: turned off by $SPARSEC_NVRTC\n"
                                    "note: ptxas: turned off by $SPARSEC_PTXAS\n");

  Assemblers wrong = Assemblers::open({.nvrtc = "/nowhere/nvrtc.so", .ptxas = "/nowhere/ptxas"});
  ASSERT_EQ(wrong.missing.size(), 2u);
  EXPECT_EQ(wrong.missing[0], "nvrtc: $SPARSEC_NVRTC cannot be opened: /nowhere/nvrtc.so");
  EXPECT_EQ(wrong.missing[1], "ptxas: $SPARSEC_PTXAS is not a program: /nowhere/ptxas");

  // Something that runs and is not ptxas; something that opens and is not NVRTC.
  Assemblers other = Assemblers::open({.nvrtc = "libc.so.6", .ptxas = "/bin/true"});
  ASSERT_EQ(other.missing.size(), 2u);
  EXPECT_EQ(other.missing[0], "nvrtc: a libnvrtc.so was found that is older than CUDA 11.1");
  EXPECT_EQ(other.missing[1], "ptxas: /bin/true --version does not answer as ptxas does");
}

TEST(Assemblers, ReportWhatTheyRefuse) {
  std::string wrong = testing::tileKernel();
  wrong.replace(wrong.find("bar.sync"), 8, "bar.sink");
  Assemblers assemblers = Assemblers::open(AssemblerSearch::fromEnvironment());
  for (const auto &assembler : assemblers.found) {
    Result<Cubin> cubin = assembler->assemble(wrong, "sm_80");
    ASSERT_FALSE(cubin) << assembler->name();
    EXPECT_EQ(cubin.error().kind, ErrorKind::Internal);
    EXPECT_NE(cubin.error().render().find("'.sink'"), std::string::npos) << cubin.error().render();
    Result<Cubin> unknown = assembler->assemble(testing::tileKernel(), "sm_1");
    EXPECT_FALSE(unknown) << assembler->name();
  }
  if (assemblers.found.empty())
    GTEST_SKIP() << assemblers.missing[0] << "; " << assemblers.missing[1];
}

TEST(Assemblers, FallBackToTheNext) {
  Assemblers assemblers = Assemblers::open(AssemblerSearch::fromEnvironment());
  if (assemblers.found.size() < 2)
    GTEST_SKIP() << "not every assembler is on this machine: " << assemblers.missing[0];
  Result<Cubin> tile = assemblers.assemble(testing::tileKernel(), "sm_80");
  ASSERT_TRUE(tile) << tile.error().render();
  EXPECT_EQ(tile->assembler, "nvrtc");
  Result<Cubin> caller = assemblers.assemble(testing::callingKernel(), "sm_80");
  ASSERT_TRUE(caller) << caller.error().render();
  EXPECT_EQ(caller->assembler, "ptxas");
}

TEST(Assemblers, LeaveNoFilesBehind) {
  namespace fs = std::filesystem;
  fs::path folder = fs::temp_directory_path() / "sparsec-assemble-test";
  fs::remove_all(folder);
  fs::create_directory(folder);
  std::string before = getenv("TMPDIR") ? getenv("TMPDIR") : "";
  setenv("TMPDIR", folder.c_str(), 1);
  Assemblers assemblers = Assemblers::open(AssemblerSearch::fromEnvironment());
  for (const auto &assembler : assemblers.found)
    for (const std::string &ptx : {testing::tileKernel(), std::string("not PTX")})
      (void)assembler->assemble(ptx, "sm_80");
  EXPECT_TRUE(fs::is_empty(folder));
  if (before.empty())
    unsetenv("TMPDIR");
  else
    setenv("TMPDIR", before.c_str(), 1);
  fs::remove_all(folder);
}

} // namespace
} // namespace sparsec
