// The learned tensors of a model: their names, shapes and places in one flat buffer, which the
// gradient and the optimiser's moments share.
//
//   offset (elements)   name                              shape
//   0                   embedding.token.weight            [256, d]
//   256 d               embedding.start.weight            [1, d]    the row after: input 256 is it
//   257 d               embedding.row.weight              [rows, d] each table of positions
//   ...                 layers.0.attention.norm.weight    [d]       and .bias
//                       layers.0.attention.query.weight   [qk, d]   query, key, value on end, so
//                       layers.0.attention.key.weight     [qk, d]   that one product gives all
//                       layers.0.attention.value.weight   [d, d]    three; their biases likewise
//                       layers.0.attention.output.weight  [d, d]
//                       layers.0.ff.inner.weight          [ff, d]
//                       layers.0.ff.outer.weight          [d, ff]
//                       norm.weight, norm.bias            [d]
//                       output.weight                     [256, d]  none when it is tied
//
// Weights are [out, in]. Every tensor begins at a row of the optimiser's (kernel/ops/Adam.h), or
// where the one before it ends, if both are read as one. At the start:
// embeddings are normal with standard deviation 0.125 / sqrt(d) times model.embedding_scale,
// positions that over the root of their number, weights have deviation sqrt(0.125 / in) times
// model.weight_scale, those that end a residual branch are divided by sqrt(2 layers), biases are 0.
// The untied output has model.output_scale in place of weight_scale; it is 0 as published, so that
// the first loss is ln 256.
#pragma once

#include "model/Config.h"

namespace sparsec {

inline constexpr int64_t kClasses = 256;    ///< values of a token
inline constexpr int64_t kStart = kClasses; ///< the input before the first token

struct Parameter {
  std::string name;
  int64_t rows = 0;     ///< 0: a vector
  int64_t columns = 0;  ///< of a vector its length
  int64_t offset = 0;   ///< in elements
  bool decays = false;  ///< matrices only
  bool follows = false; ///< begins where the one before it ends
  double deviation = 0;
  double fill = 0; ///< every element, where deviation is 0

  int64_t size() const { return std::max<int64_t>(rows, 1) * columns; }
};

class Parameters {
public:
  explicit Parameters(const ModelConfig &model);

  const std::vector<Parameter> &all() const { return table; }
  const Parameter &at(const std::string &name) const; ///< which is there
  const Parameter *find(const std::string &name) const;
  int64_t elements() const { return flat; } ///< of the flat buffer, gaps included
  int64_t count() const;                    ///< learned numbers

  /// The flat buffer at the start of a run; gaps are 0.
  std::vector<float> initial(uint64_t seed) const;

private:
  void add(Parameter parameter);
  void addMatrix(const std::string &name, int64_t rows, int64_t columns, double deviation);
  void addVector(const std::string &name, int64_t size, double fill = 0);
  void addLayer(const ModelConfig &model, int64_t layer);

  std::vector<Parameter> table;
  std::map<std::string, size_t> byName;
  int64_t flat = 0;
};

} // namespace sparsec
