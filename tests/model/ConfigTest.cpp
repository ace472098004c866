// Configs: the published ones have the paper's sizes, every one prints back, and each refusal has
// its exact text, in refusals.txt: inputs, `--set` lines first, and after >>> what they give.
// SPARSEC_UPDATE=1 in the environment writes the file anew, to be read before it is committed.
#include "model/Parameters.h"
#include "model/Transformer.h"

#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

namespace sparsec {
namespace {

Config configOf(const std::string &name, const std::vector<ConfigOverride> &overrides = {}) {
  auto config = parseConfig(configFile(name), overrides);
  EXPECT_TRUE(config) << (config ? "" : config.error().render());
  return config ? *config : Config{};
}

TEST(Config, PublishedConfigurationsHaveTheirParameters) {
  // sparse-transformer, section 3.1: 59.20 M, 94.95 M, 151.6 M, 303 M; exactly by the shapes.
  struct Case {
    const char *name;
    int64_t parameters;
  };
  for (auto [name, parameters] : {Case{"cifar10", 59'196'928},
                                  {"enwik8", 94'949'888},
                                  {"imagenet64", 151'645'184},
                                  {"imagenet64-large", 302'959'616},
                                  {"music", 151'840'256},
                                  {"enwik8-small", 867'200}})
    EXPECT_EQ(Parameters(configOf(name).model).count(), parameters) << name;
}

TEST(Config, ParametersByHand) {
  // d = 32, qk 16, ff 64, one table of 4 rows, two layers.
  Config config = configOf("enwik8-small", {{"model.width", "32"},
                                            {"model.heads", "1"},
                                            {"model.qk_ratio", "0.5"},
                                            {"model.ff_ratio", "2"},
                                            {"model.layers", "2"},
                                            {"model.length", "16"},
                                            {"valid.min_context", "0"},
                                            {"model.positions", "{quarter: t // 4}"}});
  int64_t layer =
      2 * (16 * 32 + 16) + (32 * 32 + 32) * 2 + (64 * 32 + 64) + (32 * 64 + 32) + 4 * 32;
  EXPECT_EQ(Parameters(config.model).count(), 257 * 32 + 4 * 32 + 2 * layer + 2 * 32 + 256 * 32);
  config.model.tiedOutput = true;
  EXPECT_EQ(Parameters(config.model).count(), 257 * 32 + 4 * 32 + 2 * layer + 2 * 32);
}

TEST(Config, ParametersLieOnEndAndAligned) {
  Parameters parameters(configOf("cifar10").model);
  int64_t end = 0;
  for (const Parameter &each : parameters.all()) {
    EXPECT_EQ(each.offset * 2 % 16, 0) << each.name;
    EXPECT_GE(each.offset, end) << each.name;
    EXPECT_EQ(each.decays, each.rows > 0) << each.name;
    end = each.offset + each.size();
  }
  EXPECT_EQ(parameters.elements(), end);
  const Parameter &query = parameters.at("layers.5.attention.query.weight");
  const Parameter &key = parameters.at("layers.5.attention.key.weight");
  const Parameter &value = parameters.at("layers.5.attention.value.weight");
  EXPECT_EQ(query.rows, 128);
  EXPECT_EQ(key.offset, query.offset + query.size());
  EXPECT_EQ(value.offset, key.offset + key.size());
  EXPECT_EQ(parameters.at("embedding.start.weight").offset, 256 * 256);
}

TEST(Config, ParametersAtTheStart) {
  Config config = configOf(
      "enwik8-small",
      {{"model.embedding_scale", "1"}, {"model.weight_scale", "1"}, {"model.output_scale", "0"}});
  Parameters parameters(config.model);
  std::vector<float> values = parameters.initial(1);
  EXPECT_EQ(values, parameters.initial(1));
  EXPECT_NE(values, parameters.initial(2));
  auto deviation = [&](const std::string &name) {
    const Parameter &each = parameters.at(name);
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < each.size(); ++i) {
      double x = values[static_cast<size_t>(each.offset + i)];
      sum += x, squares += x * x;
    }
    auto n = static_cast<double>(each.size());
    EXPECT_LE(std::fabs(sum / n), 5 * std::sqrt(squares / n / n)) << name;
    return std::sqrt(squares / n);
  };
  auto near = [](double found, double wanted) { return std::fabs(found / wanted - 1) < 0.05; };
  EXPECT_TRUE(near(deviation("embedding.token.weight"), 0.125 / std::sqrt(128.0)));
  EXPECT_TRUE(near(deviation("embedding.row.weight"), 0.125 / std::sqrt(128.0 * 2)));
  EXPECT_TRUE(near(deviation("layers.1.attention.query.weight"), std::sqrt(0.125 / 128)));
  EXPECT_TRUE(near(deviation("layers.1.attention.output.weight"), std::sqrt(0.125 / 128 / 8)));
  EXPECT_TRUE(near(deviation("layers.3.ff.inner.weight"), std::sqrt(0.125 / 128)));
  EXPECT_TRUE(near(deviation("layers.3.ff.outer.weight"), std::sqrt(0.125 / 512 / 8)));
  EXPECT_EQ(deviation("output.weight"), 0);
  EXPECT_EQ(values[static_cast<size_t>(parameters.at("norm.weight").offset)], 1);
  EXPECT_EQ(values[static_cast<size_t>(parameters.at("norm.bias").offset)], 0);
}

TEST(Config, EveryOnePrintsBackAndHasItsPattern) {
  for (const std::string &name : configNames()) {
    Config config = configOf(name);
    EXPECT_EQ(config.name, name);
    auto again = parseConfig(std::make_shared<SourceText>(SourceText{"again", print(config)}));
    ASSERT_TRUE(again) << again.error().render();
    EXPECT_EQ(print(*again), print(config));
    auto pattern = loadPattern(config.attention);
    EXPECT_TRUE(pattern) << pattern.error().render();
  }
}

TEST(Config, OverridesReplaceAndAdd) {
  Config config = configOf("enwik8-small", {{"train.steps", "30"},
                                            {"attention.params", "{l: 64}"},
                                            {"valid.tokens", "all"},
                                            {"model.positions.third", "t // 512"}});
  EXPECT_EQ(config.train.steps, 30);
  EXPECT_EQ(config.attention.params, (std::map<std::string, int64_t>{{"l", 64}}));
  EXPECT_EQ(config.valid.tokens, 0);
  ASSERT_EQ(config.model.positions.size(), 3u);
  EXPECT_EQ(config.model.positions[2].rows, 2);
}

TEST(Config, LayersTakeTheirEntries) {
  auto interleaved = *loadPattern({.pattern = "strided-interleaved", .params = {}});
  auto first = entriesOfLayer(*interleaved, 0, 8), second = entriesOfLayer(*interleaved, 5, 8);
  ASSERT_EQ(first.size(), 1u); // all heads alike: one launch
  EXPECT_EQ(first[0].entry, 0);
  EXPECT_EQ(first[0].heads.count, 8);
  EXPECT_EQ(second[0].entry, 1);
  auto strided = *loadPattern({.pattern = "strided", .params = {}});
  auto both = entriesOfLayer(*strided, 3, 5);
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].heads.count, 3);
  EXPECT_EQ(both[1].heads.count, 2);
  EXPECT_EQ(both[1].heads.first, 1);
  EXPECT_EQ(entriesOfLayer(*strided, 0, 1).size(), 1u);
}

struct Case {
  std::string title, input, expected;
  std::vector<std::string> sets;
};

std::vector<Case> readCases() {
  std::ifstream file(SPARSEC_REFUSALS);
  std::vector<Case> cases;
  bool inExpected = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("=== ")) {
      cases.push_back({line.substr(4), "", "", {}});
      inExpected = false;
    } else if (line == ">>>") {
      inExpected = true;
    } else if (inExpected) {
      cases.back().expected += line + '\n';
    } else if (line.starts_with("--set ")) {
      cases.back().sets.push_back(line.substr(6));
    } else {
      cases.back().input += line + '\n';
    }
  }
  return cases;
}

/// What a case gives: of a config that is taken, nothing.
std::string resultOf(const Case &each) {
  std::vector<ConfigOverride> overrides;
  for (const std::string &set : each.sets) {
    auto read = readOverride(set);
    if (!read)
      return read.error().render();
    overrides.push_back(*read);
  }
  auto text = each.input.empty()
                  ? configFile("enwik8-small")
                  : std::make_shared<const SourceText>(SourceText{"config.yaml", each.input});
  auto config = parseConfig(text, overrides);
  return config ? "" : config.error().render();
}

TEST(Config, RefusalsHaveTheirTexts) {
  std::vector<Case> cases = readCases();
  ASSERT_GT(cases.size(), 20u);
  bool update = std::getenv("SPARSEC_UPDATE") != nullptr;
  std::ostringstream fresh;
  for (const Case &each : cases) {
    std::string found = resultOf(each);
    EXPECT_NE(found, "") << each.title;
    fresh << "=== " << each.title << "\n";
    for (const std::string &set : each.sets)
      fresh << "--set " << set << "\n";
    fresh << each.input << ">>>\n" << found;
    if (!update)
      EXPECT_EQ(found, each.expected) << each.title;
  }
  if (update)
    std::ofstream(SPARSEC_REFUSALS) << fresh.str();
}

} // namespace
} // namespace sparsec
