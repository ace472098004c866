#include "model/Parameters.h"

#include "kernel/ops/Adam.h"
#include "model/Random.h"

#include <cassert>
#include <fmt/format.h>

namespace sparsec {

namespace {

constexpr double kVariance = 0.125;  // of a weight matrix, times its inputs
constexpr int64_t kInitialBlock = 2; // normal numbers of a counter

} // namespace

Parameters::Parameters(const ModelConfig &model) {
  auto width = static_cast<double>(model.width);
  auto tables = static_cast<double>(model.positions.size());
  double embedding = model.embeddingScale * kVariance / std::sqrt(width);
  addMatrix("embedding.token.weight", kClasses, model.width, embedding);
  add({.name = "embedding.start.weight",
       .rows = 1,
       .columns = model.width,
       .decays = true,
       .follows = true,
       .deviation = embedding});
  for (const PositionConfig &each : model.positions)
    addMatrix(fmt::format("embedding.{}.weight", each.name), each.rows, model.width,
              embedding / std::sqrt(tables));
  for (int64_t layer = 0; layer < model.layers; ++layer)
    addLayer(model, layer);
  addVector("norm.weight", model.width, 1);
  addVector("norm.bias", model.width);
  if (!model.tiedOutput)
    addMatrix("output.weight", kClasses, model.width,
              model.outputScale * std::sqrt(kVariance / width));
  flat = (flat + AdamRequest::kRow - 1) / AdamRequest::kRow * AdamRequest::kRow;
}

void Parameters::addLayer(const ModelConfig &model, int64_t layer) {
  int64_t d = model.width, qk = model.qkWidth(), ff = model.ffWidth();
  double residual = std::sqrt(2 * static_cast<double>(model.layers));
  auto deviation = [&](int64_t inputs) {
    return model.weightScale * std::sqrt(kVariance / static_cast<double>(inputs));
  };
  std::string attention = fmt::format("layers.{}.attention.", layer);
  std::string inner = fmt::format("layers.{}.ff.", layer);
  addVector(attention + "norm.weight", d, 1);
  addVector(attention + "norm.bias", d);
  addMatrix(attention + "query.weight", qk, d, deviation(d));
  addMatrix(attention + "key.weight", qk, d, deviation(d));
  addMatrix(attention + "value.weight", d, d, deviation(d));
  addVector(attention + "query.bias", qk);
  add({.name = attention + "key.bias", .columns = qk, .follows = true});
  add({.name = attention + "value.bias", .columns = d, .follows = true});
  addMatrix(attention + "output.weight", d, d, deviation(d) / residual);
  addVector(attention + "output.bias", d);
  addVector(inner + "norm.weight", d, 1);
  addVector(inner + "norm.bias", d);
  addMatrix(inner + "inner.weight", ff, d, deviation(d));
  addVector(inner + "inner.bias", ff);
  addMatrix(inner + "outer.weight", d, ff, deviation(ff) / residual);
  addVector(inner + "outer.bias", d);
}

void Parameters::add(Parameter parameter) {
  if (!parameter.follows)
    flat = (flat + AdamRequest::kRow - 1) / AdamRequest::kRow * AdamRequest::kRow;
  parameter.offset = flat;
  flat += parameter.size();
  byName[parameter.name] = table.size();
  table.push_back(std::move(parameter));
}

void Parameters::addMatrix(const std::string &name, int64_t rows, int64_t columns,
                           double deviation) {
  add({.name = name, .rows = rows, .columns = columns, .decays = true, .deviation = deviation});
}

void Parameters::addVector(const std::string &name, int64_t size, double fill) {
  add({.name = name, .columns = size, .fill = fill});
}

const Parameter *Parameters::find(const std::string &name) const {
  auto found = byName.find(name);
  return found == byName.end() ? nullptr : &table[found->second];
}

const Parameter &Parameters::at(const std::string &name) const {
  const Parameter *found = find(name);
  assert(found && "the model has this parameter");
  return *found;
}

int64_t Parameters::count() const {
  int64_t count = 0;
  for (const Parameter &each : table)
    count += each.size();
  return count;
}

std::vector<float> Parameters::initial(uint64_t seed) const {
  std::vector<float> values(static_cast<size_t>(flat));
  for (size_t i = 0; i < table.size(); ++i) {
    const Parameter &each = table[i];
    float *to = values.data() + each.offset;
    CounterRandom random(seed, RandomStream::Initial, static_cast<uint32_t>(i));
    for (int64_t j = 0; j < each.size(); ++j)
      to[j] = static_cast<float>(each.deviation == 0
                                     ? each.fill
                                     : each.deviation * random.normal(static_cast<uint64_t>(
                                                            j / kInitialBlock))[j % kInitialBlock]);
  }
  return values;
}

} // namespace sparsec
