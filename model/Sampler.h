// Sequences from a model, a token at a time: each layer keeps the queries, keys and values of what
// came before, and a new token attends to those that its pattern allows.
//
//   Sampler::load(machine, model, {.count = 4})     memory and kernels for 4 sequences at once
//   sampler.start(weights)                          before the first token
//   sampler.next(forced)                            the next token of each sequence, drawn or forced
//
// The numbers that draw them come from the seed, the position and the sequence.
#pragma once

#include "model/Transformer.h"

namespace sparsec {

struct SamplerOptions {
  int64_t count = 1; ///< sequences at once
  double temperature = 1;
  uint64_t seed = 0;
};

class Sampler {
public:
  static Result<Sampler> load(Machine &machine, std::shared_ptr<const Transformer> model,
                              const SamplerOptions &options);
  /// Forgets every sequence, and takes weights as Parameters lays them out.
  Result<void> start(std::span<const float> weights);
  int64_t position() const { return at; } ///< of the next token
  /// Draws the next token of each sequence. Where a token is forced, that is taken in its place.
  Result<std::vector<uint8_t>> next(std::span<const std::optional<uint8_t>> forced = {});
  /// What the last tokens were drawn from: [count, kClasses].
  Result<std::vector<float>> logits() const;

private:
  Machine *machine = nullptr;
  std::shared_ptr<const Transformer> model;
  SamplerOptions options;
  ListMemory memory;
  RunningList list;
  int64_t at = 0;
};

} // namespace sparsec
