// The Sparse Transformer written the plain way, in float64: what call lists are compared with. Sees
// nothing of them: parameters by name, a predicate at a point, loops.
//
//   x[t] = token[input[t]] + positions          input 0 is the start vector, input t token t - 1
//   x += attention(norm(x)); x += ff(norm(x))   in each layer, each branch masked by dropout
//   loss = mean over t of -log softmax(norm(x) output^T)[token t]
//
// The gradient is by hand, in reverse; the tests hold it against central differences.
#pragma once

#include "model/Parameters.h"
#include "patterns/Pattern.h"

#include <functional>

namespace sparsec {

using Values = std::map<std::string, std::vector<double>>;

class PlainTransformer {
public:
  /// What a residual branch's element is multiplied with: 0, or 1 / (1 - rate).
  using Mask = std::function<double(int64_t stream, int64_t row, int64_t column)>;

  PlainTransformer(ModelConfig model, Pattern pattern)
      : model(std::move(model)), pattern(std::move(pattern)) {}

  Mask mask;     ///< none: no dropout
  Values values; ///< of the parameters

  /// Mean loss over the tokens of sequences [batch, length], in nats.
  double loss(const std::vector<uint8_t> &tokens);
  /// Its gradient by every parameter.
  Values gradient(const std::vector<uint8_t> &tokens);
  /// Losses of each token, after loss().
  const std::vector<double> &losses() const { return perToken; }
  /// Root of the mean square of the residual stream after the last layer, and of the embedding.
  double streamScale() const;
  double embeddingScale() const;

private:
  using Rows = std::vector<double>; ///< [rows, columns]

  struct Norm {
    Rows x, out;
    std::vector<double> mean, rstd;
  };
  struct Layer {
    Norm attention, ff;
    Rows q, k, v, attended, inner, activated;
    std::vector<Rows> weights; ///< of each batch and head: [length, length]
  };

  Rows linear(const Rows &x, const std::string &name, int64_t in, int64_t out, bool bias) const;
  Rows linearBackward(const Rows &x, const Rows &dy, const std::string &name, int64_t in,
                      int64_t out, bool bias);
  Norm norm(const Rows &x, const std::string &name, double epsilon) const;
  Rows normBackward(const Norm &norm, const Rows &dy, const std::string &name);
  void attend(Layer &layer, int64_t index) const;
  void attendBackward(const Layer &layer, const Rows &dout, Rows &dq, Rows &dk, Rows &dv) const;
  void maskBranch(Rows &branch, int64_t stream) const;
  std::vector<double> &gradientOf(const std::string &name);

  ModelConfig model;
  Pattern pattern;
  int64_t rows = 0;
  std::vector<int64_t> inputs;
  std::vector<Layer> layers;
  Norm last;
  Rows probabilities, embedded;
  std::vector<double> perToken;
  Values gradients;
};

} // namespace sparsec
