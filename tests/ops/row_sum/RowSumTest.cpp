// An operation that no other folder knows goes the whole way: it is compiled, explained, run on a
// device and held against its reference, by one row in each of the tables that this test hands on.
#include "codegen/Compiler.h"
#include "tests/ops/row_sum/RowSumOp.h"
#include "tests/ops/row_sum/Verification.h"
#include "tests/runtime/TestDevice.h"
#include "tools/verify/Verify.h"

#include <gtest/gtest.h>

namespace sparsec {
namespace {

constexpr Operation kOperations[] = {
    {RowSumRequest::kOperation, registerRowSum, describeRowSum},
};
constexpr VerifyOperation kVerifications[] = {kRowSumVerification};

Result<std::vector<Kernel>> compileSum(const Request &request) {
  return compileFrom(kOperations, request);
}

RowSumRequest request(const std::string &target, int columns = 64) {
  return {.entry = "sums", .columns = columns, .target = *findTarget(target)};
}

/// What is wrong with the cases of a set, a line each.
std::string wrong(Device &device, CompileFunction compile, CaseFlags::Set set) {
  Pattern none;
  Verifier verifier({device, none, targetOf(device), std::move(compile)}, kVerifications);
  std::string found;
  for (const VerifyCase &c : kRowSumVerification.cases(none, {.set = set, .headDim = 80})) {
    Result<std::vector<VerifyRow>> rows = verifier.run(c);
    if (!rows)
      return rows.error().render();
    EXPECT_EQ(rows->size(), 1u);
    for (const VerifyRow &row : *rows) {
      EXPECT_EQ(row.operation, "row_sum");
      EXPECT_EQ(row.output, "y");
      if (!row.passed)
        found += c.text() + ": " + row.detail + "\n";
    }
  }
  return found;
}

TEST(RowSum, AgreesWithItsReference) {
  auto device = testing::openTestDevice();
  SPARSEC_SKIP_WITHOUT(device);
  using enum CaseFlags::Set;
  for (CaseFlags::Set set : {One, Default, Full})
    EXPECT_EQ(wrong(**device, compileSum, set), "");
}

/// The verifier would see a kernel that leaves columns out.
TEST(RowSum, AWrongKernelIsFound) {
  auto device = testing::openTestDevice();
  SPARSEC_SKIP_WITHOUT(device);
  auto short16 = [](const Request &asked) {
    RowSumRequest changed = *asked.as<RowSumRequest>();
    changed.columns -= 16;
    return compileSum(changed);
  };
  std::string found = wrong(**device, short16, CaseFlags::Set::One);
  EXPECT_TRUE(found.starts_with("f32, 80 columns, 200 rows, 1 x 1 heads, BHSD: batch 0, head 0, "))
      << found;
}

TEST(RowSum, SaysWhatItTakes) {
  for (const char *target : {"sm_80", "cpu"}) {
    Result<Kernel> kernel = single(compileSum(request(target)));
    ASSERT_TRUE(kernel) << kernel.error().render();
    EXPECT_EQ(kernel->operation, "row_sum");
    EXPECT_EQ(kernel->grid.work, Grid::Work::Range);
    EXPECT_EQ(kernel->grid.order, "items");
    EXPECT_EQ(print(kernel->signature), "pointer x at 0\n"
                                        "pointer y at 8 written\n"
                                        "i64 x_stride[3] at 16\n"
                                        "i64 y_stride[2] at 40\n"
                                        "i32 items at 56\n"
                                        "i32 tiles at 60\n"
                                        "i32 heads at 64\n"
                                        "i32 rows at 68\n"
                                        "f32 scale at 72\n");
    Result<Kernel> back = kernelFromBytes(toBytes(*kernel));
    ASSERT_TRUE(back) << back.error().render();
    EXPECT_EQ(*back, *kernel);
  }
}

TEST(RowSum, IsExplainedAtEveryStage) {
  struct {
    const char *target, *stage, *text;
  } cases[] = {
      {"sm_80", "sparsec", "row_sum.sum @sums columns 64"},
      {"sm_80", "tile", "tile.work range of"},
      {"sm_80", "warp", "tile.reduce sum"},
      {"sm_80", "llvm", "define ptx_kernel void @sums"},
      {"sm_80", "ptx", "row sum, f32, 64 columns\n"},
      {"cpu", "sparsec", "row_sum.sum @sums columns 64"},
      {"cpu", "tile", "tile.reduce sum"},
      {"cpu", "llvm", "define void @sums("},
      {"cpu", "asm", "sums:"},
  };
  for (const auto &[target, stage, expected] : cases) {
    Result<std::string> text = explainFrom(kOperations, request(target), stage);
    ASSERT_TRUE(text) << stage << ": " << text.error().render();
    EXPECT_NE(text->find(expected), std::string::npos) << target << " " << stage << ":\n" << *text;
  }
}

TEST(RowSum, RefusalsAreItsOwn) {
  auto refused = [](const Request &request) { return compileSum(request).error().message; };
  EXPECT_EQ(refused(request("cpu", 40)), "expected 16 to 256 columns in steps of 16, found 40");
  auto unknown = compile(request("cpu"));
  ASSERT_FALSE(unknown);
  EXPECT_TRUE(unknown.error().message.ends_with("found 'row_sum'")) << unknown.error().message;
}

} // namespace
} // namespace sparsec
