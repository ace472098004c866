// Decoding a token at a time: at every position of every pattern of the zoo that is causal, what it
// gives is what the whole forward pass gives; tokens are drawn by their probability.
#include "model/Sampler.h"

#include "patterns/Evaluate.h"
#include "tests/model/ModelOnDevice.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sparsec {
namespace {

/// -log softmax of one row.
double lossOf(const float *logits, uint8_t target) {
  double most = *std::max_element(logits, logits + kClasses), sum = 0;
  for (int64_t c = 0; c < kClasses; ++c)
    sum += std::exp(logits[c] - most);
  return most + std::log(sum) - logits[target];
}

/// Whether no position sees one after it: what a decoder needs.
bool isCausal(const Pattern &pattern, int64_t n, int64_t heads) {
  for (const HeadEntry &head : pattern.heads)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t q = 0; q < n; ++q)
        for (int64_t k = q + 1; k < n; ++k)
          if (evaluate(head.attend, {.h = h, .q = q, .k = k}, {n, n}))
            return false;
  return true;
}

TEST(Sampler, StepwiseIsTheWholeForwardPassForEveryPattern) {
  Machine &machine = testMachine();
  constexpr int64_t kLength = 40, kCount = 2;
  int tested = 0;
  for (const std::string &name : zooNames()) {
    Config config = smallConfig(
        name, {}, {{"model.length", fmt::format("{}", kLength)}, {"train.batch_size", "2"}});
    config.train.microBatch = kCount;
    auto pattern = *loadPattern(config.attention);
    std::map<std::string, int64_t> small = {{"l", 8}, {"c", 2}, {"w", 8}, {"block", 8}};
    for (const auto &[param, value] : pattern->params)
      if (small.contains(param))
        config.attention.params[param] = small[param];
    auto loaded = loadPattern(config.attention);
    if (loaded)
      pattern = *loaded;
    else
      config.attention.params.clear(); // these values are not for it
    if (!isCausal(*pattern, kLength, config.model.heads))
      continue;
    ++tested;
    auto model = transformerOf(config);
    std::vector<float> weights = randomWeights(model->parameters(), 5);
    std::vector<uint8_t> tokens = randomTokens(kCount * kLength, 6);
    auto trainer = Trainer::load(
        machine, model, std::make_shared<const Dataset>(Dataset::of({}, {}, {})), ListUse::Score);
    ASSERT_TRUE(trainer) << trainer.error().render();
    ASSERT_TRUE(trainer->setState({.weights = weights, .first = {}, .second = {}}));
    auto whole = trainer->losses(tokens);
    ASSERT_TRUE(whole);
    auto sampler = Sampler::load(machine, model, {.count = kCount});
    ASSERT_TRUE(sampler) << sampler.error().render();
    ASSERT_TRUE(sampler->start(weights));
    for (int64_t t = 0; t < kLength; ++t) {
      std::vector<std::optional<uint8_t>> forced;
      for (int64_t i = 0; i < kCount; ++i)
        forced.emplace_back(tokens[static_cast<size_t>(i * kLength + t)]);
      auto given = sampler->next(forced);
      ASSERT_TRUE(given) << given.error().render();
      auto logits = sampler->logits();
      ASSERT_TRUE(logits);
      for (int64_t i = 0; i < kCount; ++i)
        ASSERT_NEAR(lossOf(logits->data() + i * kClasses, *forced[static_cast<size_t>(i)]),
                    static_cast<double>((*whole)[static_cast<size_t>(i * kLength + t)]), 2e-5)
            << name << " at " << t;
    }
    auto after = sampler->next();
    ASSERT_FALSE(after);
    EXPECT_EQ(after.error().render(),
              "error: expected at most 40 tokens, the length of the model\n");
  }
  EXPECT_GE(tested, 8);
}

TEST(Sampler, DrawsByProbabilityAndRepeats) {
  Machine &machine = testMachine();
  constexpr int64_t kCount = 4096;
  Config config = smallConfig("causal", {}, {{"model.length", "2"}, {"model.layers", "1"}});
  auto model = transformerOf(config);
  std::vector<float> weights = randomWeights(model->parameters(), 5);
  std::vector<std::vector<uint8_t>> draws;
  std::vector<float> logits;
  for (uint64_t seed : {7, 7, 8}) {
    auto sampler = Sampler::load(machine, model, {.count = kCount, .seed = seed});
    ASSERT_TRUE(sampler) << sampler.error().render();
    ASSERT_TRUE(sampler->start(weights));
    draws.push_back(*sampler->next());
    logits = *sampler->logits();
  }
  EXPECT_EQ(draws[0], draws[1]);
  EXPECT_NE(draws[0], draws[2]);
  std::vector<double> counts(kClasses);
  for (uint8_t each : draws[0])
    counts[each] += 1;
  double chi = 0;
  for (int64_t c = 0; c < kClasses; ++c) {
    double wanted = kCount * std::exp(-lossOf(logits.data(), static_cast<uint8_t>(c)));
    chi += (counts[static_cast<size_t>(c)] - wanted) * (counts[static_cast<size_t>(c)] - wanted) /
           wanted;
  }
  EXPECT_LT(chi, 255 + 5 * std::sqrt(2 * 255.0)); // of 255 degrees of freedom, five deviations
}

} // namespace
} // namespace sparsec
