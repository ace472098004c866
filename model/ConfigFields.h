// The keys of a config, once: who reads and who prints walks the same list.
//
// A visitor has section(key, presence, body), text, integer, number, flag and choice; `positions`
// and `params` for what has names of its own; betas for a pair of numbers.
#pragma once

#include "model/Config.h"

#include <limits>

namespace sparsec {

enum class Presence : uint8_t { Required, Optional };

struct IntegerRange {
  int64_t low = 1, high = std::numeric_limits<int32_t>::max();
  std::string_view word = {}; ///< that stands for `low`: "auto", "all"
};
struct NumberRange {
  double low = 0, high = 1;
  bool openLow = false, openHigh = false;
};

inline constexpr int64_t kMaxTokens = int64_t(1) << 30;

template <class Visitor>
void visitModel(Visitor &visit, ModelConfig &model) {
  visit.integer("length", model.length, {1, kMaxTokens}, Presence::Required);
  visit.integer("layers", model.layers, {1, 4096}, Presence::Required);
  visit.integer("width", model.width, {16, 65536}, Presence::Required);
  visit.integer("heads", model.heads, {1, 1024}, Presence::Required);
  visit.number("qk_ratio", model.qkRatio, {0, 8, true, false});
  visit.number("ff_ratio", model.ffRatio, {0, 64, true, false});
  visit.number("dropout", model.dropout, {0, 1, false, true});
  visit.flag("tied_output", model.tiedOutput);
  visit.number("embedding_scale", model.embeddingScale, {0, 1000, true, false});
  visit.number("weight_scale", model.weightScale, {0, 1000, true, false});
  visit.number("output_scale", model.outputScale, {0, 1000});
  visit.positions("positions", model.positions);
}

template <class Visitor>
void visitTrain(Visitor &visit, TrainConfig &train) {
  if (visit.wants("epochs", train.epochs))
    visit.integer("epochs", train.epochs, {});
  if (visit.wants("steps", train.steps))
    visit.integer("steps", train.steps, {1, kMaxTokens});
  visit.integer("batch_size", train.batchSize, {1, 65535});
  visit.integer("micro_batch", train.microBatch, {0, 65535, "auto"});
  visit.number("learning_rate", train.learningRate, {0, 10, true, false});
  visit.integer("warmup_steps", train.warmupSteps, {0, kMaxTokens});
  visit.choice("schedule", train.schedule, {"cosine", "constant"});
  visit.betas("betas", train.beta1, train.beta2);
  visit.number("weight_decay", train.weightDecay, {0, 10});
  visit.number("grad_clip", train.gradClip, {0, 1e9, true, false});
  visit.choice("precision", train.precision, {"f32", "bf16", "f16"});
  visit.flag("recompute", train.recompute);
  visit.integer("seed", train.seed, {0, std::numeric_limits<int64_t>::max()});
}

template <class Visitor>
void visitConfig(Visitor &visit, Config &config) {
  visit.text("name", config.name);
  visit.section("data", Presence::Required, [&] {
    visit.choice("kind", config.data.kind, {"bytes", "cifar10", "mnist", "imagenet64", "wav"});
    visit.number("valid", config.data.valid, {0, 1e15});
    visit.number("test", config.data.test, {0, 1e15});
  });
  visit.section("model", Presence::Required, [&] { visitModel(visit, config.model); });
  visit.section("attention", Presence::Required, [&] {
    visit.text("pattern", config.attention.pattern);
    visit.params("params", config.attention.params);
  });
  visit.section("train", Presence::Required, [&] { visitTrain(visit, config.train); });
  visit.section("every", Presence::Optional, [&] {
    visit.integer("log", config.every.log, {});
    visit.integer("valid", config.every.valid, {});
    visit.integer("checkpoint", config.every.checkpoint, {});
  });
  visit.section("valid", Presence::Optional, [&] {
    visit.integer("tokens", config.valid.tokens, {0, kMaxTokens, "all"});
    visit.integer("min_context", config.valid.minContext, {0, kMaxTokens});
  });
}

} // namespace sparsec
