// What a training run is: its data, its model, its attention, its schedule. Read from YAML, printed
// back as YAML that reads the same.
//
//   name: enwik8-small
//   data: {kind: bytes, valid: 0.05, test: 0.05}
//   model: {length: 1024, layers: 4, width: 128, heads: 4, positions: {row: t // 32, ...}, ...}
//   attention: {pattern: fixed, params: {l: 32, c: 8}}
//   train: {steps: 3000, batch_size: 4, learning_rate: 0.001, ...}
//   every: {log: 10, valid: 250, checkpoint: 500}
//   valid: {tokens: 65536, min_context: 512}
//
// Sizes are in tokens, sequences and steps. The pattern never changes the parameters or the order
// of the data. Refused, located: unknown and repeated keys, missing ones that have no default,
// values out of their bounds, widths that no kernel takes, both or neither of steps and epochs,
// positions that are no expression of t, may be negative, or need more than kMaxPositions rows.
#pragma once

#include "patterns/Expr.h"

#include <map>
#include <string>
#include <vector>

namespace sparsec {

/// Rows of a table of positions.
inline constexpr int64_t kMaxPositions = int64_t(1) << 20;

/// A learned table of positions: token t takes row `index` of t.
struct PositionConfig {
  std::string name;
  std::string text; ///< of the expression, as written
  Expr index;       ///< over t, the leaf Key (patterns/PositionIndex.h)
  int64_t rows = 0; ///< one more than the largest index
};

struct DataConfig {
  std::string kind = "bytes";
  double valid = 0, test = 0; ///< below 1 a share, else a count: of bytes, samples or images
};

struct ModelConfig {
  int64_t length = 0, layers = 0, width = 0, heads = 0;
  double qkRatio = 1; ///< width of queries, all heads together, over `width`
  double ffRatio = 4;
  double dropout = 0;
  bool tiedOutput = false;
  double embeddingScale = 1, weightScale = 1; ///< of deviations at the start, over the paper's
  double outputScale = 0;                     ///< likewise, over that of a weight matrix
  std::vector<PositionConfig> positions;

  int64_t qkWidth() const { return static_cast<int64_t>(qkRatio * static_cast<double>(width)); }
  int64_t ffWidth() const { return static_cast<int64_t>(ffRatio * static_cast<double>(width)); }
};

struct AttentionConfig {
  std::string pattern; ///< a zoo name, or a path
  std::map<std::string, int64_t> params;
};

struct TrainConfig {
  int64_t steps = 0;  ///< 0: epochs
  int64_t epochs = 0; ///< 0: steps
  int64_t batchSize = 1;
  int64_t microBatch = 0; ///< 0: auto
  double learningRate = 1e-3;
  int64_t warmupSteps = 0;
  std::string schedule = "cosine";
  double beta1 = 0.9, beta2 = 0.999;
  double weightDecay = 0.01;
  double gradClip = 1;
  std::string precision = "f32";
  bool recompute = false;
  int64_t seed = 1;
};

struct EveryConfig {
  int64_t log = 10, valid = 250, checkpoint = 500;
};

struct ValidConfig {
  int64_t tokens = 0; ///< 0: all
  int64_t minContext = 0;
};

struct Config {
  std::string name;
  DataConfig data;
  ModelConfig model;
  AttentionConfig attention;
  TrainConfig train;
  EveryConfig every;
  ValidConfig valid;
};

/// One `--set K=V`: a dotted key and its value as YAML.
struct ConfigOverride {
  std::string key, value;
};
/// Reads "train.steps=30"; errors point into a text named --set.
Result<ConfigOverride> readOverride(const std::string &assignment);

Result<Config> parseConfig(std::shared_ptr<const SourceText> text,
                           const std::vector<ConfigOverride> &overrides = {});
/// Every key, resolved: parseConfig() of it gives the same.
std::string print(const Config &config);

/// The configurations inside the library: names sorted, and a file's text; null when there is none.
std::vector<std::string> configNames();
std::shared_ptr<const SourceText> configFile(const std::string &name);

} // namespace sparsec
