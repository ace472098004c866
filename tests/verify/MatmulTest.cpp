// Dense layers on a device, through the harness: every pass, epilogue, type and kind of size
// against float64; that the harness would see what is wrong; and that the references' gradients are
// those of the reference's forward.
#include "kernel/ops/Matmul.h"
#include "codegen/Compiler.h"
#include "tests/reference/Matmul.h"
#include "tests/runtime/TestDevice.h"
#include "tools/verify/Verify.h"
#include "tools/verify/ops/matmul/Matmul.h"

#include <gtest/gtest.h>
#include <numeric>

namespace sparsec {
namespace {

using Pass = MatmulRequest::Pass;

/// What is wrong with the cases, a line each.
std::string wrong(Device &device, const std::vector<MatmulCase> &cases,
                  CompileFunction compiler = compile) {
  Pattern none;
  Verifier verifier({device, none, targetOf(device), std::move(compiler)});
  std::string found;
  for (const MatmulCase &c : cases) {
    Result<std::vector<VerifyRow>> rows = verifier.run(c);
    if (!rows)
      return rows.error().render();
    EXPECT_FALSE(rows->empty()) << describe(c);
    for (const VerifyRow &row : *rows)
      if (!row.passed)
        found += describe(c) + ": " + row.output + ": " + row.detail + "\n";
  }
  return found;
}

TEST(Matmul, AgreesWithItsReference) {
  auto device = testing::openTestDevice();
  SPARSEC_SKIP_WITHOUT(device);
  bool fast = (*device)->name() != "sim";
  CaseFlags flags{.set = fast ? CaseFlags::Set::Full : CaseFlags::Set::Default};
  EXPECT_EQ(wrong(**device, matmulCases(flags)), "");
}

/// A case of each pass with everything that it may have.
std::vector<MatmulCase> oneOfEach() {
  std::vector<MatmulCase> cases =
      matmulCases({.set = CaseFlags::Set::One, .dtype = DType::F32, .rows = 40, .columns = 80});
  for (MatmulCase &each : cases)
    each.tile = {.tokens = 64, .out = 64, .in = 64}, each.runs = 1;
  return cases;
}

/// Kernels that leave out one thing each are found.
TEST(Matmul, WrongKernelsAreFound) {
  auto device = testing::openTestDevice();
  SPARSEC_SKIP_WITHOUT(device);
  auto without = [](void (*change)(MatmulRequest &)) {
    return [change](const Request &asked) {
      MatmulRequest changed = *asked.as<MatmulRequest>();
      change(changed);
      return compile(changed);
    };
  };
  std::vector<MatmulCase> cases = oneOfEach();
  for (MatmulCase &each : cases)
    each.save = false;
  std::vector<MatmulCase> forward = {cases[0]}, input = {cases[1]};
  EXPECT_EQ(wrong(**device, cases), "");
  auto noBias = [](MatmulRequest &request) { request.bias = false; };
  auto noGelu = [](MatmulRequest &request) { request.gelu = false; };
  auto noResidual = [](MatmulRequest &request) { request.residual = false; };
  for (auto *change : {+noBias, +noGelu, +noResidual})
    EXPECT_NE(wrong(**device, forward, without(change)), "");
  EXPECT_NE(wrong(**device, input, without(noGelu)), "");
}

/// A tile is no larger than what the sizes fill.
TEST(Matmul, TilesFollowTheSizes) {
  std::vector<MatmulRequest::Tile> chosen;
  for (int64_t tokens : {64, 128, 4096, 65536}) {
    MatmulRequest request{.entry = "e", .target = *findTarget("cpu")};
    MatmulRequest::Tile tile = chooseTile(request, tokens, 384, 128);
    EXPECT_TRUE(checkRequest(request));
    EXPECT_EQ(tile.in, 128);
    EXPECT_EQ(tile.out, 128); // 256 would leave a quarter of two tiles empty
    chosen.push_back(tile);
  }
  EXPECT_EQ(chosen[0].tokens, 64);
  EXPECT_GT(chosen[3].tokens, chosen[1].tokens);
}

TEST(Matmul, RefusesWhatAPassHasNot) {
  auto refusal = [](MatmulRequest request) {
    request.entry = "e";
    request.target = *findTarget("cpu");
    Result<std::vector<Kernel>> kernels = compile(request);
    EXPECT_FALSE(kernels);
    return kernels ? "" : kernels.error().message;
  };
  EXPECT_EQ(refusal({.pass = Pass::InputGradient, .bias = true}),
            "'bias' is nothing that the input gradient has");
  EXPECT_EQ(refusal({.pass = Pass::WeightGradient, .gelu = true}),
            "'gelu' is nothing that the weight gradient has");
  EXPECT_EQ(refusal({.save = true}), "'save' keeps what gelu was given: it needs 'gelu'");
  EXPECT_EQ(refusal({.tile = {.tokens = 24}}),
            "expected a tile of 16 to 1024 tokens in steps of 16, found 24");
}

//===-- The references ------------------------------------------------------------------------===//

/// d loss / d input, by inputs that f32 holds on both sides.
template <class Loss>
double slope(float &input, Loss &&loss) {
  float before = input, step = 0x1p-8f;
  input = before + step;
  double high = loss(), above = input;
  input = before - step;
  double low = loss(), below = input;
  input = before;
  return (high - low) / (above - below);
}

/// Two layers, the first with GELU: dy w2 through it is the gradient of u, and that gives those of
/// what made u.
TEST(MatmulReference, GradientsAgreeWithCentralDifferences) {
  constexpr int64_t kTokens = 3, kIn = 5, kMiddle = 4, kOut = 6;
  Random random(3);
  auto values = [&](int64_t count) { return normalValues(random, count, DType::F32); };
  reference::MatmulProblem first{.tokens = kTokens,
                                 .in = kIn,
                                 .out = kMiddle,
                                 .gelu = true,
                                 .x = values(kTokens * kIn),
                                 .w = values(kMiddle * kIn),
                                 .bias = values(kMiddle)};
  std::vector<float> w2 = values(kOut * kMiddle), dy = values(kTokens * kOut);
  auto loss = [&] {
    std::vector<double> h = reference::matmul<double>(first).y.values;
    double sum = 0;
    for (int64_t t = 0; t < kTokens; ++t)
      for (int64_t o = 0; o < kOut; ++o)
        for (int64_t m = 0; m < kMiddle; ++m)
          sum += dy[t * kOut + o] * w2[o * kMiddle + m] * h[t * kMiddle + m];
    return sum;
  };
  auto narrow = [](const std::vector<double> &wide) {
    return std::vector<float>(wide.begin(), wide.end());
  };
  reference::MatmulProblem second{.tokens = kTokens, .in = kMiddle, .out = kOut, .w = w2, .dy = dy};
  second.u = narrow(reference::matmul<double>(first).u.values);
  reference::MatmulProblem back = first;
  back.dy = narrow(reference::matmulInputGradient<double>(second).values);
  auto dx = reference::matmulInputGradient<double>(back).values;
  auto dw = reference::matmulWeightGradient<double>(back).values;
  auto db = reference::matmulBiasGradient<double>(back).values;
  for (size_t i = 0; i < dx.size(); ++i)
    EXPECT_NEAR(dx[i], slope(first.x[i], loss), 2e-3) << i;
  for (size_t i = 0; i < dw.size(); ++i)
    EXPECT_NEAR(dw[i], slope(first.w[i], loss), 2e-3) << i;
  for (size_t i = 0; i < db.size(); ++i)
    EXPECT_NEAR(db[i], slope(first.bias[i], loss), 2e-3) << i;
}

} // namespace
} // namespace sparsec
