// Draws of the sampling kernel follow the softmax: chi-square of seeded draws on a device.
#include "runtime/Sample.h"
#include "codegen/Compiler.h"
#include "runtime/Buffer.h"
#include "tests/runtime/TestDevice.h"

#include <cmath>
#include <gtest/gtest.h>

namespace sparsec {
namespace {

constexpr int64_t kClasses = 20;

/// Probabilities from 2^-9 up, and classes of none.
float logit(int64_t c) {
  return c % 5 == 4 ? -1e30f : static_cast<float>(c % 7) * 0.8f - static_cast<float>(c % 3);
}

TEST(Sample, DrawsFollowTheSoftmax) {
  auto opened = testing::openTestDevice();
  SPARSEC_SKIP_WITHOUT(opened);
  Device &device = **opened;
  const int64_t draws = device.name() == "sim" ? 4000 : 100000;
  SampleRequest request{
      .entry = "draw", .columns = kClasses, .dtype = DType::F32, .target = targetOf(device)};
  auto kernels = compile(request);
  ASSERT_TRUE(kernels) << kernels.error().render();
  auto sample = Sample::load(device, std::move(*kernels), request);
  ASSERT_TRUE(sample) << sample.error().render();

  std::vector<float> logits;
  for (int64_t i = 0; i < draws * kClasses; ++i)
    logits.push_back(logit(i % kClasses));
  const int64_t seed = 20250711;
  auto ofLogits = Buffer::upload(device, std::as_bytes(std::span(logits)));
  auto ofSeed = Buffer::upload(device, std::as_bytes(std::span(&seed, 1)));
  auto ofTokens = Buffer::allocate(device, draws * sizeof(int32_t));
  ASSERT_TRUE(ofLogits && ofSeed && ofTokens);
  constexpr float kTemperature = 1.25f;
  auto launched = sample->launch({.rows = draws,
                                  .logits = matrix(ofLogits->address(), draws, kClasses, 4),
                                  .seed = matrix(ofSeed->address(), 1, 1, 8),
                                  .tokens = matrix(ofTokens->address(), 1, draws, 4),
                                  .temperature = kTemperature});
  ASSERT_TRUE(launched) << launched.error().render();
  std::vector<int32_t> tokens(draws);
  ASSERT_TRUE(device.copyToHost(tokens.data(), ofTokens->address(), draws * sizeof(int32_t)));

  double total = 0, chiSquare = 0;
  for (int64_t c = 0; c < kClasses; ++c)
    total += std::exp(logit(c) / kTemperature);
  std::vector<int64_t> count(kClasses);
  for (int32_t token : tokens) {
    ASSERT_TRUE(token >= 0 && token < kClasses) << token;
    ++count[token];
  }
  for (int64_t c = 0; c < kClasses; ++c) {
    double expected = static_cast<double>(draws) * std::exp(logit(c) / kTemperature) / total;
    if (expected == 0)
      EXPECT_EQ(count[c], 0) << c;
    else
      chiSquare += std::pow(static_cast<double>(count[c]) - expected, 2) / expected;
  }
  // 15 degrees of freedom: above 37.7 once in a thousand seeds, below 3.5 likewise.
  EXPECT_LT(chiSquare, 37.7);
  EXPECT_GT(chiSquare, 3.5);
}

} // namespace
} // namespace sparsec
