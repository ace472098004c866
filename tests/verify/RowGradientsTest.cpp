// The gradients of the references of row operations agree with central differences of what they are
// gradients of, in float64.
#include "tests/reference/CrossEntropy.h"
#include "tests/reference/Elementwise.h"
#include "tests/reference/LayerNorm.h"
#include "tools/verify/MatrixTrial.h"

#include <functional>
#include <gtest/gtest.h>
#include <numeric>

namespace sparsec {
namespace {

/// d loss / d input[i], by inputs that f32 holds on both sides.
double slope(float &input, const std::function<double()> &loss) {
  float before = input, step = 0x1p-8f;
  input = before + step;
  double high = loss(), above = input;
  input = before - step;
  double low = loss(), below = input;
  input = before;
  return (high - low) / (above - below);
}

double dot(const std::vector<double> &a, const std::vector<float> &b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

TEST(RowGradients, LayerNorm) {
  constexpr int64_t kRows = 4, kColumns = 9;
  Random random(1);
  auto values = [&](int64_t count) { return normalValues(random, count, DType::F32); };
  reference::LayerNormProblem p{.rows = kRows,
                                .columns = kColumns,
                                .x = values(kRows * kColumns),
                                .gain = values(kColumns),
                                .bias = values(kColumns),
                                .dy = values(kRows * kColumns),
                                .dresidual = values(kRows * kColumns),
                                .priorGain = values(kColumns),
                                .priorBias = values(kColumns)};
  auto found = reference::layerNormBackward<double>(p);
  auto loss = [&] { return dot(reference::layerNorm<double>(p).y, p.dy); };
  for (int64_t i = 0; i < kRows * kColumns; ++i)
    EXPECT_NEAR(found.dx[i] - p.dresidual[i], slope(p.x[i], loss), 2e-3) << i;
  for (int64_t i = 0; i < kColumns; ++i) {
    EXPECT_NEAR(found.dgain[i] - p.priorGain[i], slope(p.gain[i], loss), 1e-9) << i;
    EXPECT_NEAR(found.dbias[i] - p.priorBias[i], slope(p.bias[i], loss), 1e-9) << i;
  }
}

TEST(RowGradients, CrossEntropy) {
  constexpr int64_t kRows = 5, kColumns = 7;
  Random random(2);
  reference::CrossEntropyProblem p{
      .rows = kRows, .columns = kColumns, .scale = 0.25f, .factor = 0.25f};
  p.logits = normalValues(random, kRows * kColumns, DType::F32);
  p.targets = {3, -1, 0, 6, 3};
  auto found = reference::crossEntropy<double>(p);
  auto loss = [&] { return reference::crossEntropy<double>(p).total; };
  for (int64_t i = 0; i < kRows * kColumns; ++i)
    EXPECT_NEAR(found.dlogits[i], slope(p.logits[i], loss), 1e-6) << i;
}

TEST(RowGradients, GeluAndDropout) {
  constexpr int64_t kRows = 6, kColumns = 5, kCount = kRows * kColumns;
  Random random(3);
  std::vector<float> x = normalValues(random, kCount, DType::F32, 2);
  std::vector<float> dy = normalValues(random, kCount, DType::F32);
  std::vector<double> gelu = reference::geluBackward<double>(x, dy);
  reference::DropoutProblem forward{kRows, kColumns, /*seed=*/7, /*drop=*/0.4, x, dy};
  std::vector<double> dropped = reference::dropout<double>({kRows, kColumns, 7, 0.4, dy, {}});
  for (int64_t i = 0; i < kCount; ++i) {
    EXPECT_NEAR(gelu[i], slope(x[i], [&] { return dot(reference::gelu<double>(x), dy); }), 1e-4)
        << i;
    EXPECT_NEAR(dropped[i],
                slope(forward.x[i], [&] { return dot(reference::dropout<double>(forward), dy); }),
                1e-9)
        << i;
  }
}

} // namespace
} // namespace sparsec
