// Training runs: repeated, stopped and gone on with they give the same bits; scores of known
// distributions; checkpoints that are whole or not there; refusals of run folders.
#include "model/Safetensors.h"
#include "model/TrainLoop.h"
#include "tests/model/ModelOnDevice.h"

#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <unistd.h>

namespace sparsec {
namespace {

namespace fs = std::filesystem;

std::string readAll(const fs::path &path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// A small run: 12 steps, a report every 3, validation every 4, a checkpoint every 5.
Config runConfig(const std::vector<ConfigOverride> &more = {}) {
  std::vector<ConfigOverride> overrides = {
      {"train.steps", "12"},       {"train.batch_size", "2"},
      {"train.micro_batch", "2"},  {"train.learning_rate", "0.003"},
      {"train.warmup_steps", "3"}, {"every", "{log: 3, valid: 4, checkpoint: 5}"}};
  overrides.insert(overrides.end(), more.begin(), more.end());
  return smallConfig("fixed", {{"l", 8}, {"c", 2}}, overrides);
}

/// Text of a few letters, which a model learns something about in 12 steps.
std::vector<uint8_t> letters(int64_t count, uint64_t seed) {
  std::vector<uint8_t> tokens = randomTokens(count, seed);
  for (size_t i = 0; i < tokens.size(); ++i)
    tokens[i] = static_cast<uint8_t>('a' + (tokens[i] % 2 + i) % 5);
  return tokens;
}
std::shared_ptr<const Dataset> dataset() {
  return std::make_shared<const Dataset>(
      Dataset::of(letters(5000, 1), letters(500, 2), letters(300, 3)));
}

class Runs : public testing::Test {
protected:
  Runs() : root(fs::temp_directory_path() / fmt::format("sparsec-runs-{}", getpid())) {
    fs::remove_all(root);
    fs::create_directories(root);
  }
  ~Runs() override { fs::remove_all(root); }

  Trainer trainer(const Config &config) {
    auto loaded = Trainer::load(testMachine(), transformerOf(config), dataset());
    EXPECT_TRUE(loaded) << loaded.error().render();
    return std::move(*loaded);
  }
  Result<RunFolder> folder(const std::string &name, const Config &config) {
    return RunFolder::create((root / name).string(), {.version = "test", .data = "data"},
                             print(config), "pattern");
  }
  /// A run of its own, to its end or to `until`.
  void run(const std::string &name, const Config &config, int64_t until = 0) {
    auto made = folder(name, config);
    ASSERT_TRUE(made) << made.error().render();
    Trainer fresh = trainer(config);
    auto trained = train(fresh, {.folder = *made, .from = {}, .until = until, .report = {}});
    ASSERT_TRUE(trained) << trained.error().render();
  }
  void goOn(const std::string &name, const Config &config) {
    auto opened = RunFolder::open((root / name).string());
    ASSERT_TRUE(opened);
    auto from = opened->lastCheckpoint();
    ASSERT_TRUE(from);
    Trainer fresh = trainer(config);
    auto trained = train(fresh, {.folder = *opened, .from = *from, .report = {}});
    ASSERT_TRUE(trained) << trained.error().render();
  }
  /// The log without keys of time and lines of checkpoints.
  std::vector<std::string> log(const std::string &name) {
    std::vector<std::string> lines;
    std::istringstream text(readAll(root / name / "log.jsonl"));
    for (std::string line; std::getline(text, line);) {
      Json json = Json::parse(line);
      if (json["kind"] == "checkpoint")
        continue;
      for (const char *key : {"step_ms", "tokens_per_second", "peak_bytes"})
        json.erase(key);
      lines.push_back(json.dump());
    }
    return lines;
  }
  std::string weights(const std::string &name, int64_t step) {
    return readAll(root / name / fmt::format("checkpoints/{:06}.safetensors", step));
  }
  fs::path root;
};

TEST_F(Runs, RepeatAndGoOnWithTheSameBits) {
  for (const std::vector<ConfigOverride> &more :
       {std::vector<ConfigOverride>{},
        {{"model.dropout", "0.2"}, {"train.micro_batch", "1"}, {"train.recompute", "true"}}}) {
    std::string which = more.empty() ? "plain" : "dropout";
    Config config = runConfig(more);
    run(which, config);
    ASSERT_NE(weights(which, 12), "");
    run(which + "-again", config);
    EXPECT_EQ(weights(which, 12), weights(which + "-again", 12));
    EXPECT_EQ(log(which), log(which + "-again"));
    for (int64_t until : {5, 7, 11}) {
      std::string name = fmt::format("{}-{}", which, until);
      run(name, config, until);
      // What a killed process leaves: half a line, half a checkpoint.
      std::ofstream(root / name / "log.jsonl", std::ios::app) << R"({"kind":"train","st)";
      std::ofstream(root / name / "checkpoints/000012.safetensors.part") << "half";
      std::ofstream(root / name / "checkpoints/000012.safetensors") << "half";
      goOn(name, config);
      EXPECT_EQ(weights(which, 12), weights(name, 12)) << until;
      EXPECT_EQ(log(which), log(name)) << until;
      EXPECT_EQ(readAll(root / which / "best.safetensors"),
                readAll(root / name / "best.safetensors"));
    }
  }
}

TEST_F(Runs, LogHasALineAReport) {
  run("run", runConfig());
  std::vector<std::string> found;
  double first = 0, last = 0;
  std::istringstream text(readAll(root / "run/log.jsonl"));
  for (std::string line; std::getline(text, line);) {
    Json json = Json::parse(line);
    found.push_back(json["kind"].get<std::string>() +
                    (json.contains("step") ? fmt::format(" {}", json["step"].get<int64_t>()) : ""));
    if (json["kind"] == "train")
      (json["step"] == 1 ? first : last) = json["bits"].get<double>();
  }
  EXPECT_EQ(found,
            (std::vector<std::string>{"start", "train 1", "train 3", "valid 4", "checkpoint 5",
                                      "train 6", "valid 8", "train 9", "checkpoint 10", "train 12",
                                      "valid 12", "checkpoint 12", "end 12"}));
  EXPECT_NEAR(first, 8, 1e-5); // of an output that is 0
  EXPECT_LT(last, 7);
}

TEST_F(Runs, RefuseAFolderThatIsTaken) {
  Config config = runConfig();
  ASSERT_TRUE(folder("run", config));
  std::string path = (root / "run").string();
  auto again = folder("run", config);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().render(),
            fmt::format("error: {}: holds a run already\nnote: --resume goes on with it\n", path));
  fs::create_directories(root / "other");
  std::ofstream(root / "other/file") << "x";
  auto other = folder("other", config);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().render(),
            fmt::format("error: {}/other: is not the folder of a run (there is no sparsec.json in "
                        "it)\n",
                        root.string()));
  std::ofstream(root / "other/sparsec.json") << R"({"kind": "kernels", "version": "1"})";
  auto kernels = RunFolder::open((root / "other").string());
  ASSERT_FALSE(kernels);
  EXPECT_EQ(kernels.error().render(),
            fmt::format("error: {}/other: is not the folder of a run (sparsec.json says so)\n",
                        root.string()));
  auto none = RunFolder::open((root / "none").string());
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().render(),
            fmt::format("error: {}/none: there is no such run\n", root.string()));
  std::ofstream(root / "plain") << "x";
  auto plain = folder("plain", config);
  ASSERT_FALSE(plain);
  EXPECT_EQ(plain.error().render(),
            fmt::format("error: {}/plain: is a file, not a folder\n", root.string()));
}

TEST_F(Runs, ALossThatIsNotFiniteNamesTheFirstTensor) {
  Config config = runConfig();
  Trainer fresh = trainer(config);
  TrainedState state;
  state.weights = fresh.model().parameters().initial(1);
  const Parameter &bias = fresh.model().parameters().at("layers.1.ff.inner.bias");
  state.weights[static_cast<size_t>(bias.offset + 3)] = NAN;
  ASSERT_TRUE(fresh.setState(state));
  auto step = fresh.step(0);
  ASSERT_FALSE(step);
  EXPECT_EQ(step.error().render(),
            "error: step 1 is not finite: the first tensor that is not is out "
            "of 'layers.1.ff.inner', at [0, 3]\n");
}

TEST_F(Runs, ScoresOfKnownDistributions) {
  Config config = runConfig();
  Trainer fresh = trainer(config);
  ASSERT_TRUE(fresh.initialise());
  for (int64_t context : {0, 40, 95}) {
    auto score = fresh.score(Split::Valid, {.minContext = context});
    ASSERT_TRUE(score);
    EXPECT_EQ(score->tokens, 500);
    EXPECT_NEAR(score->bits(), 8, 1e-6); // uniform
  }
  // Of random weights: the probabilities of all second bytes after a first one sum to 1, and so do
  // those of all first bytes.
  TrainedState state;
  state.weights = randomWeights(fresh.model().parameters(), 5);
  ASSERT_TRUE(fresh.setState(state));
  int64_t length = config.model.length;
  double firsts = 0, seconds = 0;
  std::vector<uint8_t> tokens(static_cast<size_t>(256 * length));
  for (int64_t c = 0; c < 256; ++c) {
    tokens[static_cast<size_t>(c * length)] = static_cast<uint8_t>(c);
    tokens[static_cast<size_t>(c * length + 1)] = static_cast<uint8_t>(c * 7);
  }
  auto first = fresh.losses(tokens);
  ASSERT_TRUE(first);
  for (int64_t c = 0; c < 256; ++c) {
    tokens[static_cast<size_t>(c * length)] = 'q';
    tokens[static_cast<size_t>(c * length + 1)] = static_cast<uint8_t>(c);
  }
  auto second = fresh.losses(tokens);
  ASSERT_TRUE(second);
  for (int64_t c = 0; c < 256; ++c) {
    firsts += std::exp(-static_cast<double>((*first)[static_cast<size_t>(c * length)]));
    seconds += std::exp(-static_cast<double>((*second)[static_cast<size_t>(c * length + 1)]));
  }
  EXPECT_NEAR(firsts, 1, 1e-5);
  EXPECT_NEAR(seconds, 1, 1e-5);
}

TEST_F(Runs, SafetensorsComeBackAndAreRefusedCut) {
  std::vector<float> a = {1, -2.5f, 3}, b = {0, 7};
  std::string path = (root / "a.safetensors").string();
  auto copyOf = [](const std::vector<float> &values) {
    return [&values](std::span<float> into) -> Result<void> {
      EXPECT_EQ(into.size(), values.size());
      std::ranges::copy(values, into.begin());
      return {};
    };
  };
  ASSERT_TRUE(writeSafetensors(path, {{"a", {3}, copyOf(a)}, {"b.c", {1, 2}, copyOf(b)}},
                               {{"format", "pt"}}));
  auto fails = [](std::span<float>) -> Result<void> { return machineError("gone"); };
  EXPECT_FALSE(writeSafetensors((root / "b.safetensors").string(), {{"a", {3}, fails}}));
  EXPECT_FALSE(fs::exists(root / "b.safetensors") || fs::exists(root / "b.safetensors.part"));
  auto read = readSafetensors(path);
  ASSERT_TRUE(read) << read.error().render();
  EXPECT_EQ(read->at("a").values, a);
  EXPECT_EQ(read->at("b.c").shape, (std::vector<int64_t>{1, 2}));
  EXPECT_FALSE(fs::exists(path + ".part"));
  std::string bytes = readAll(path);
  for (size_t size = 0; size < bytes.size(); ++size) {
    std::ofstream(path, std::ios::binary) << bytes.substr(0, size);
    auto cut = readSafetensors(path);
    ASSERT_FALSE(cut) << size;
    ASSERT_TRUE(cut.error().message.starts_with(path)) << cut.error().message;
  }
}

/// A safetensors file of this header and so many bytes of tensors.
std::string tensorFile(const std::string &header, size_t bytes) {
  uint64_t size = header.size();
  return std::string(reinterpret_cast<const char *>(&size), sizeof size) + header +
         std::string(bytes, '\0');
}

TEST_F(Runs, RefuseFilesOfARunThatAreBroken) {
  Config config = runConfig();
  run("run", config);
  auto opened = RunFolder::open((root / "run").string());
  ASSERT_TRUE(opened);
  std::string file = opened->checkpointPath(12);
  Parameters parameters(config.model);
  std::vector<float> weights(static_cast<size_t>(parameters.elements()));
  auto errorOf = [&](const std::string &contents) {
    std::ofstream(file, std::ios::binary) << contents;
    auto read = readParameters(file, parameters, weights);
    std::string text = read ? "no error" : read.error().render();
    size_t at = text.find(file);
    return at == std::string::npos ? text : text.replace(at, file.size(), "FILE");
  };
  std::string no = "error: FILE: is no safetensors file that can be read: ";
  EXPECT_EQ(errorOf("short"), no + "it is cut short\n");
  EXPECT_EQ(errorOf(tensorFile("[1]", 0)), no + "its header is not JSON\n");
  EXPECT_EQ(errorOf(tensorFile(R"({"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}})", 2)),
            no + "expected 'a' to be a tensor of F32\n");
  EXPECT_EQ(errorOf(tensorFile(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4)),
            no + "the shape of 'a' is none\n");
  EXPECT_EQ(errorOf(tensorFile(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4)),
            no + "'a' leaves the file\n");
  EXPECT_EQ(errorOf(tensorFile(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4)),
            "error: FILE: expected a tensor 'embedding.token.weight', found none\n");
  EXPECT_EQ(
      errorOf(tensorFile(
          R"({"embedding.token.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4)),
      "error: FILE: expected 8192 elements in 'embedding.token.weight', found 1\n");
  std::string state = (root / "run/checkpoints/000012.json").string();
  std::ofstream(state) << R"({"step": 11})";
  auto last = opened->lastCheckpoint();
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().render(), fmt::format("error: {}: is not the state of a run\n", state));
}

TEST(LearningRate, WarmsUpAndFollowsACosine) {
  TrainConfig train{.learningRate = 0.5, .warmupSteps = 10, .schedule = "cosine"};
  EXPECT_DOUBLE_EQ(learningRate(train, 0, 110), 0.05);
  EXPECT_DOUBLE_EQ(learningRate(train, 9, 110), 0.5);
  EXPECT_DOUBLE_EQ(learningRate(train, 10, 110), 0.5);
  EXPECT_DOUBLE_EQ(learningRate(train, 60, 110), 0.25);
  EXPECT_GT(learningRate(train, 109, 110), 0);
  EXPECT_LT(learningRate(train, 109, 110), 0.001);
  train.schedule = "constant";
  EXPECT_DOUBLE_EQ(learningRate(train, 100, 110), 0.5);
}

} // namespace
} // namespace sparsec
