// The Sparse Transformer as call lists (arXiv 1904.10509, section 5): one that trains on a batch,
// one that scores it.
//
//   x = embedding                                    a token's row, and one of each position table
//   of each layer:   x = x + attention(norm(x))      pre-activation; dropout ends each branch
//                    x = x + ff(norm(x))
//   logits = norm(x) output^T                        losses: -log softmax at the next token, in nats
//
// The token at t is predicted from the tokens before it: input 0 is the start vector, input t token
// t - 1; position embeddings are those of the token that is predicted.
//
// With `recompute` only the residual stream between blocks is kept; backward runs each block's
// forward calls again. They are the same calls on the same numbers, dropout's masks included, so
// gradients are the same bits.
#pragma once

#include "model/ops/Operations.h"

namespace sparsec {

/// What a list computes.
enum class ListUse : uint8_t {
  Train, ///< losses, and the gradient of their mean
  Score, ///< losses alone
  /// The logits after one token of each sequence, at the position that the list is run for, on the
  /// queries, keys and values that runs for the positions before have kept; and a token drawn from
  /// them, in place of the one that was read.
  Decode,
};

struct TransformerSizes {
  int64_t batch = 1;         ///< sequences of one run of the list
  int64_t sequences = 1;     ///< of a step, over all runs and processes: what the mean is over
  double temperature = 1;    ///< of what is drawn
  Sums sums = Sums::Written; ///< gradients: Added by every run of a step but its first
};

/// Names of kept buffers that hosts and other lists share.
namespace buffers {
inline constexpr const char *kParameters = "parameters";
inline constexpr const char *kWeights = "weights"; ///< parameters in the compute type
inline constexpr const char *kGradients = "gradients";
inline constexpr const char *kFirst = "first moments";
inline constexpr const char *kSecond = "second moments";
inline constexpr const char *kState = "optimiser state"; ///< an AdamState
inline constexpr const char *kTokens = "tokens";
inline constexpr const char *kTargets = "targets";
inline constexpr const char *kLosses = "losses"; ///< of each token, in nats
inline constexpr const char *kTotal = "total";   ///< their mean; of a list that scores their sum
inline constexpr const char *kSeed = "seed";
inline constexpr const char *kLengths =
    "lengths"; ///< tokens of each sequence, in a list that decodes
inline constexpr const char *kLogits = "logits"; ///< of a list that decodes
/// Of a layer: [sequences, length, queries, keys and values], zeros at first.
std::string cache(int64_t layer);
} // namespace buffers

class Transformer {
public:
  Transformer(Config config, std::shared_ptr<const Pattern> pattern);

  const Config &config() const { return settings; }
  const Parameters &parameters() const { return *table; }
  const Pattern &pattern() const { return *heads; }
  DType dtype() const { return type; } ///< of activations beside the residual stream

  CallList list(ListUse use, const TransformerSizes &sizes) const;
  /// The optimiser's step on the gradients that lists for training left.
  CallList update() const;

private:
  Config settings;
  std::shared_ptr<const Parameters> table;
  std::shared_ptr<const Pattern> heads;
  DType type = DType::F32;
};

/// The pattern of a config: from the zoo, or from a file.
Result<std::shared_ptr<const Pattern>> loadPattern(const AttentionConfig &attention);
/// Error: a head of some layer sees a later position, so that what is predicted would be known.
Result<void> checkLooksBack(const Pattern &pattern, const ModelConfig &config);

} // namespace sparsec
