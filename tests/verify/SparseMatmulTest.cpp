// Layers with block-sparse weights on a device, through the harness: every pass, epilogue and type
// against float64, whatever lies where the pattern does not attend; the same bits for any number of
// threads; wrong kernels are found; what has no blocks is refused.
#include "kernel/ops/SparseMatmul.h"
#include "codegen/Compiler.h"
#include "tests/runtime/TestDevice.h"
#include "tools/verify/Verify.h"
#include "tools/verify/ops/matmul/SparseMatmul.h"

#include <gtest/gtest.h>

namespace sparsec {
namespace {

Expr parse(const std::string &text) {
  auto parsed = parsePredicate(std::make_shared<SourceText>(SourceText{"test", text}));
  EXPECT_TRUE(parsed) << parsed.error().render();
  return *parsed;
}

Pattern patternOf(const std::string &text) {
  Pattern pattern{.name = "test"};
  pattern.heads.push_back({.name = "head", .attend = parse(text)});
  return pattern;
}

/// What is wrong with the cases of a pattern, a line each.
std::string wrong(Device &device, const Pattern &pattern, const std::vector<VerifyCase> &cases,
                  CompileFunction compiler = compile) {
  Verifier verifier({device, pattern, targetOf(device), std::move(compiler)});
  std::string found;
  for (const VerifyCase &c : cases) {
    Result<std::vector<VerifyRow>> rows = verifier.run(c);
    if (!rows)
      return rows.error().render();
    for (const VerifyRow &row : *rows)
      if (!row.passed)
        found += c.text() + ": " + row.output + ": " + row.detail + "\n";
  }
  return found;
}

class SparseMatmul : public ::testing::TestWithParam<const char *> {};

TEST_P(SparseMatmul, AgreesWithItsReference) {
  auto device = testing::openTestDevice();
  SPARSEC_SKIP_WITHOUT(device);
  Pattern pattern = patternOf(GetParam());
  std::vector<VerifyCase> cases = layerCases(pattern, {.set = CaseFlags::Set::Default});
  EXPECT_GE(cases.size(), 20u);
  EXPECT_EQ(wrong(**device, pattern, cases), "");
}

// A band, which no block is full of; whole blocks; weights of one block; rows without any.
INSTANTIATE_TEST_SUITE_P(Patterns, SparseMatmul,
                         ::testing::Values("abs(q - k) <= 20", "(q // 96 + k // 96) % 2 == 0",
                                           "q < 3 and k >= 60", "q % 50 == 7"));

/// What a launch leaves, on a CPU with so many threads.
std::vector<float> outputs(const Pattern &pattern, const VerifyCase &c, int threads) {
  auto device = openDevice("cpu", {.threads = threads});
  EXPECT_TRUE(device) << device.error().render();
  Tensors tensors = layerTrial(pattern, c)->tensors();
  auto runner = layerRunner({**device, pattern, targetOf(**device), compile});
  EXPECT_TRUE(tensors.upload(**device));
  EXPECT_TRUE(runner->launch(c, tensors));
  EXPECT_TRUE(tensors.download(**device));
  const auto &sparse = *c.as<SparseMatmulCase>();
  using Pass = MatmulRequest::Pass;
  return tensors[sparse.pass == Pass::Forward         ? "y"
                 : sparse.pass == Pass::InputGradient ? "dx"
                                                      : "dw"]
      .get();
}

TEST(SparseMatmulBits, AreTheSameForAnyNumberOfThreads) {
  Pattern band = patternOf("abs(q - k) <= 40");
  for (const VerifyCase &c :
       layerCases(band, {.set = CaseFlags::Set::One, .dtype = DType::F32, .rows = 600})) {
    std::vector<float> one = outputs(band, c, 1);
    for (int threads : {2, 3})
      EXPECT_EQ(outputs(band, c, threads), one) << c.text();
  }
}

/// An element more, and one less, in a block that is masked.
TEST(SparseMatmulFaults, AreFound) {
  auto device = testing::openTestDevice();
  SPARSEC_SKIP_WITHOUT(device);
  Pattern band = patternOf("abs(q - k) <= 20");
  for (const char *other :
       {"abs(q - k) <= 20 and (q != 30 or k != 32)", "abs(q - k) <= 20 or q == 33 and k == 55"}) {
    auto changed = [&](const Request &asked) {
      SparseMatmulRequest request = *asked.as<SparseMatmulRequest>();
      request.attend = parse(other);
      return compile(request);
    };
    for (const VerifyCase &c : layerCases(
             band, {.set = CaseFlags::Set::One, .dtype = DType::F32, .rows = 40, .columns = 80})) {
      EXPECT_EQ(wrong(**device, band, {c}), "");
      EXPECT_NE(wrong(**device, band, {c}, changed), "") << c.text();
    }
  }
}

TEST(SparseMatmulRefusals, NameWhatIsWrong) {
  auto refused = [](SparseMatmulRequest request) {
    request.entry = "e", request.target = *findTarget("cpu");
    Result<std::vector<Kernel>> kernels = compile(request);
    EXPECT_FALSE(kernels);
    return kernels ? "" : kernels.error().message;
  };
  EXPECT_EQ(refused({.attend = parse("q == k"), .block = {24, 32}, .target = {}}),
            "expected a block of 16 to 128 outputs and inputs in steps of 16, found 24x32");
  EXPECT_EQ(refused({.attend = parse("q == h"), .block = {32, 32}, .target = {}}),
            "weights have no heads: expected a predicate of q and k alone");
}

} // namespace
} // namespace sparsec
