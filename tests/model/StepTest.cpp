// A whole step against the plain model in float64: the loss and every parameter's gradient, for
// every pattern of the paper; and the plain model's gradient against central differences.
#include "kernel/ops/Elementwise.h"
#include "model/Random.h"
#include "tests/model/ModelOnDevice.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sparsec {
namespace {

constexpr int64_t kBatch = 2;

double norm(const std::vector<double> &values) {
  double squares = 0;
  for (double each : values)
    squares += each * each;
  return std::sqrt(squares);
}

/// The norm of the difference over that of the reference. A key's bias moves all scores of a query
/// alike, which softmax does not see: its gradient is a sum that cancels, as large before as that
/// of the query's bias.
double relativeError(const std::string &name, const std::vector<double> &found,
                     const Values &wanted) {
  std::vector<double> difference = found;
  for (size_t i = 0; i < difference.size(); ++i)
    difference[i] -= wanted.at(name)[i];
  std::string scale = name;
  if (size_t key = name.find("key.bias"); key != std::string::npos)
    scale.replace(key, 3, "query");
  return norm(difference) / norm(wanted.at(scale));
}

/// The mask that kernels draw.
PlainTransformer::Mask maskOf(double rate, uint64_t seed) {
  return [=](int64_t stream, int64_t row, int64_t column) {
    uint32_t bits = randomBits(dropoutSeed(seed, static_cast<uint32_t>(stream)),
                               static_cast<uint32_t>(row), static_cast<uint32_t>(column));
    return bits < dropThreshold(rate) ? 0 : 1 / (1 - rate);
  };
}

/// Loss and gradients of a model within rounding of the plain one's.
void expectPlain(const Config &config, double bound, int64_t runs = 1) {
  Machine &machine = testMachine();
  auto model = transformerOf(config);
  std::vector<float> weights = randomWeights(model->parameters(), 5);
  std::vector<uint8_t> tokens = randomTokens(kBatch * config.model.length, 6);
  constexpr uint64_t kSeed = 1234567;
  Gradients found = GradientRun(machine, model, kBatch, runs)(weights, tokens, kSeed);
  PlainTransformer plain(config.model, model->pattern());
  plain.values = byName(model->parameters(), weights);
  if (config.model.dropout > 0)
    plain.mask = maskOf(config.model.dropout, kSeed);
  Values wanted = plain.gradient(tokens);
  double loss = plain.loss(tokens);
  EXPECT_NEAR(found.loss, loss, bound * loss);
  ASSERT_EQ(found.losses.size(), plain.losses().size());
  for (size_t i = 0; i < found.losses.size(); ++i)
    ASSERT_NEAR(static_cast<double>(found.losses[i]), plain.losses()[i], 20 * bound) << i;
  for (const auto &[name, values] : byName(model->parameters(), found.flat)) {
    ASSERT_TRUE(wanted.contains(name)) << name;
    EXPECT_LT(relativeError(name, values, wanted), bound) << name;
  }
}

constexpr double kBound = 2e-5;

class StepOfPattern : public testing::TestWithParam<std::pair<const char *, int>> {};

TEST_P(StepOfPattern, GivesThePlainGradients) {
  auto [pattern, l] = GetParam();
  std::map<std::string, int64_t> params;
  if (l)
    params["l"] = l;
  if (std::string_view(pattern).starts_with("fixed"))
    params["c"] = 2;
  expectPlain(smallConfig(pattern, params), kBound);
}
INSTANTIATE_TEST_SUITE_P(Paper, StepOfPattern,
                         testing::Values(std::pair{"causal", 0}, std::pair{"local", 12},
                                         std::pair{"strided", 8}, std::pair{"strided-merged", 8},
                                         std::pair{"strided-interleaved", 12},
                                         std::pair{"fixed", 8}, std::pair{"fixed-heads", 8}));

TEST(Step, HalfSizeOptionsAndThreeTablesOfPositions) {
  expectPlain(
      smallConfig("strided", {{"l", 8}},
                  {{"model.width", "64"},
                   {"model.qk_ratio", "0.5"},
                   {"model.positions", "{row: t // 24, column: t // 3 % 8, channel: t % 3}"}}),
      kBound);
}

TEST(Step, TiedOutput) {
  expectPlain(smallConfig("causal", {}, {{"model.tied_output", "true"}}), kBound);
}

TEST(Step, Dropout) {
  expectPlain(smallConfig("causal", {}, {{"model.dropout", "0.25"}}), kBound);
}

TEST(Step, RunsThatAddUp) {
  expectPlain(smallConfig("fixed", {{"l", 8}, {"c", 2}}), kBound, 2);
}

TEST(Step, RecomputedGradientsAreTheSameBits) {
  Machine &machine = testMachine();
  std::vector<ConfigOverride> dropout = {{"model.dropout", "0.25"}};
  Config stored = smallConfig("strided", {{"l", 8}}, dropout), again = stored;
  again.train.recompute = true;
  auto model = transformerOf(stored);
  std::vector<float> weights = randomWeights(model->parameters(), 5);
  std::vector<uint8_t> tokens = randomTokens(kBatch * stored.model.length, 6);
  Gradients first = GradientRun(machine, model, kBatch)(weights, tokens, 3);
  Gradients second = GradientRun(machine, transformerOf(again), kBatch)(weights, tokens, 3);
  EXPECT_EQ(first.losses, second.losses);
  EXPECT_EQ(byName(model->parameters(), first.flat), byName(model->parameters(), second.flat));
  Gradients other = GradientRun(machine, model, kBatch)(weights, tokens, 4);
  EXPECT_NE(first.losses, other.losses); // the seed is heard
}

TEST(Step, SameBitsForAnyNumberOfThreads) {
  Config config = smallConfig("fixed", {{"l", 8}, {"c", 2}});
  auto model = transformerOf(config);
  std::vector<float> weights = randomWeights(model->parameters(), 5);
  std::vector<uint8_t> tokens = randomTokens(kBatch * config.model.length, 6);
  std::optional<Values> first;
  for (int threads : {1, 3}) {
    TestMachine machine("cpu", threads);
    Values found =
        byName(model->parameters(), GradientRun(*machine, model, kBatch)(weights, tokens).flat);
    if (first)
      EXPECT_EQ(found, *first) << threads;
    first = found;
  }
}

/// The same step of PTX, interpreted.
TEST(Step, OnSimAsOnCpu) {
  Config config =
      smallConfig("fixed", {{"l", 8}, {"c", 2}},
                  {{"model.length", "32"}, {"model.layers", "1"}, {"model.ff_ratio", "1"}});
  auto model = transformerOf(config);
  std::vector<float> weights = randomWeights(model->parameters(), 5);
  std::vector<uint8_t> tokens = randomTokens(config.model.length, 6);
  TestMachine sim("sim"), cpu("cpu");
  Gradients simulated = GradientRun(*sim, model, 1)(weights, tokens);
  Gradients native = GradientRun(*cpu, model, 1)(weights, tokens);
  EXPECT_NEAR(simulated.loss, native.loss, 1e-6 * native.loss);
  Values wanted = byName(model->parameters(), native.flat);
  for (const auto &[name, values] : byName(model->parameters(), simulated.flat))
    EXPECT_LT(relativeError(name, values, wanted), kBound) << name;
}

/// The plain model itself: its gradient along random directions is the slope of its loss.
TEST(PlainTransformer, GradientIsTheSlopeOfTheLoss) {
  for (bool tied : {false, true}) {
    Config config =
        smallConfig("fixed", {{"l", 8}, {"c", 2}},
                    {{"model.length", "24"}, {"model.tied_output", tied ? "true" : "false"}});
    auto model = transformerOf(config);
    std::vector<uint8_t> tokens = randomTokens(2 * config.model.length, 6);
    PlainTransformer plain(config.model, model->pattern());
    plain.mask = maskOf(0.1, 9);
    plain.values = byName(model->parameters(), randomWeights(model->parameters(), 5));
    Values gradient = plain.gradient(tokens), at = plain.values;
    uint32_t index = 0;
    for (auto &[name, slope] : gradient) {
      CounterRandom random(8, RandomStream::Sample, index++);
      constexpr double kStep = 1e-5;
      double wanted = 0, losses[2];
      for (int side : {0, 1}) {
        plain.values = at;
        for (size_t i = 0; i < slope.size(); ++i)
          plain.values[name][i] += (side ? kStep : -kStep) * random.normal(i)[0];
        losses[side] = plain.loss(tokens);
      }
      for (size_t i = 0; i < slope.size(); ++i)
        wanted += slope[i] * random.normal(i)[0];
      EXPECT_NEAR((losses[1] - losses[0]) / (2 * kStep), wanted, 1e-6 * std::fabs(wanted) + 1e-8)
          << name;
    }
  }
}

/// With the initialisation of the paper the residual stream is as large at any depth.
TEST(PlainTransformer, ResidualScaleIsFlatInDepth) {
  std::vector<double> ratios;
  for (int64_t layers : {8, 32, 256}) {
    Config config = smallConfig(
        "causal", {}, {{"model.layers", fmt::format("{}", layers)}, {"model.length", "16"}});
    auto model = transformerOf(config);
    PlainTransformer plain(config.model, model->pattern());
    plain.values = byName(model->parameters(), model->parameters().initial(1));
    EXPECT_NEAR(plain.loss(randomTokens(16, 6)), std::log(256.0), 1e-12);
    ratios.push_back(plain.streamScale() / plain.embeddingScale());
  }
  for (double ratio : ratios)
    EXPECT_LT(std::fabs(ratio / ratios[0] - 1), 0.35) << ratio << " against " << ratios[0];
}

} // namespace
} // namespace sparsec
