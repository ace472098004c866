// What a list of the model is written with: its kept buffers, and where its parameters lie in them.
#pragma once

#include "model/Transformer.h"

#include <fmt/format.h>

namespace sparsec {

class ListWriter {
public:
  ListWriter(const Config &config, const Parameters &parameters,
             std::shared_ptr<const Pattern> pattern, DType type, ListUse use,
             const TransformerSizes &sizes)
      : model(config.model), recompute(config.train.recompute), parameters(parameters),
        pattern(std::move(pattern)), type(type), use(use), sizes(sizes), sums(sizes.sums),
        rows(use == ListUse::Decode ? sizes.batch : sizes.batch * config.model.length) {
    weights = list.kept(type == DType::F32 ? buffers::kParameters : buffers::kWeights, 1,
                        parameters.elements(), elementOf(type));
    master = type == DType::F32
                 ? weights
                 : list.kept(buffers::kParameters, 1, parameters.elements(), ElementType::F32);
    if (use == ListUse::Train)
      gradients = list.kept(buffers::kGradients, 1, parameters.elements(), ElementType::F32);
    tokens = list.kept(buffers::kTokens, 1, rows, ElementType::I32);
    if (use == ListUse::Decode || (use == ListUse::Train && model.dropout > 0))
      seed = list.kept(buffers::kSeed, 1, 1, ElementType::I64);
    if (use == ListUse::Decode) {
      lengths = list.kept(buffers::kLengths, 1, rows, ElementType::I32);
      return;
    }
    targets = list.kept(buffers::kTargets, 1, rows, ElementType::I32);
    losses = list.kept(buffers::kLosses, 1, rows, ElementType::F32);
    total = list.kept(buffers::kTotal, 1, 1, ElementType::F32);
  }

protected:
  BufferView flat(const BufferView &buffer, const std::string &name, int64_t rowCount) const {
    const Parameter &first = parameters.at(name);
    BufferView matrix = buffer;
    matrix.offset = first.offset * bytes(buffer.type);
    matrix.rows = rowCount;
    matrix.columns = matrix.stride = first.columns;
    return matrix;
  }
  BufferView weight(const BufferView &buffer, const std::string &name) const {
    return flat(buffer, name, parameters.at(name).rows);
  }
  BufferView vector(const BufferView &buffer, const std::string &name) const {
    return flat(buffer, name, 1);
  }
  /// Query, key and value of a layer lie on end.
  BufferView joined(const BufferView &buffer, int64_t layer, std::string_view what) const {
    std::string name = fmt::format("layers.{}.attention.query.{}", layer, what);
    int64_t outputs = 2 * model.qkWidth() + model.width;
    if (what == "weight")
      return flat(buffer, name, outputs);
    BufferView bias = flat(buffer, name, 1);
    bias.columns = bias.stride = outputs;
    return bias;
  }
  BufferView outputWeight(const BufferView &buffer) const {
    if (!model.tiedOutput)
      return weight(buffer, "output.weight");
    return weight(buffer, "embedding.token.weight");
  }
  BufferView tokenTable(const BufferView &buffer) const { // the start vector is its last row
    return flat(buffer, "embedding.token.weight", kClasses + 1);
  }
  BufferView passing(const std::string &name, int64_t columns, DType dtype) {
    return list.passing(name, rows, columns, elementOf(dtype));
  }
  BufferView perRow(const std::string &name) {
    return list.passing(name, 1, rows, ElementType::F32);
  }
  template <class C>
  void add(const std::string &name, C call) {
    list.add(name, std::make_shared<const C>(std::move(call)));
  }

  const ModelConfig &model;
  bool recompute;
  const Parameters &parameters;
  std::shared_ptr<const Pattern> pattern;
  DType type;
  ListUse use;
  TransformerSizes sizes;
  Sums sums;
  int64_t rows; ///< tokens of a run
  CallList list;
  BufferView weights, master, gradients, tokens, targets, losses, total, seed, lengths;
};

} // namespace sparsec
