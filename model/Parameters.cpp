#include "model/Parameters.h"

#include "model/Random.h"

#include <cassert>
#include <fmt/format.h>

namespace sparsec {

namespace {

constexpr double kVariance = 0.125;  // of a weight matrix, times its inputs
constexpr int64_t kAlign = 8;        // elements: 16 bytes in the smallest type
constexpr int64_t kInitialBlock = 2; // normal numbers of a counter

} // namespace

Parameters::Parameters(const ModelConfig &model) {
  auto width = static_cast<double>(model.width);
  auto tables = static_cast<double>(model.positions.size());
  double embedding = kVariance / std::sqrt(width);
  add("embedding.token.weight", kClasses, model.width, embedding);
  add("embedding.start.weight", 1, model.width, embedding);
  for (const PositionTable &each : model.positions)
    add(fmt::format("embedding.{}.weight", each.name), each.rows, model.width,
        embedding / std::sqrt(tables));
  for (int64_t layer = 0; layer < model.layers; ++layer)
    addLayer(model, layer);
  addVector("norm.weight", model.width, 1);
  addVector("norm.bias", model.width);
  if (!model.tiedOutput)
    add("output.weight", kClasses, model.width, 0);
}

void Parameters::addLayer(const ModelConfig &model, int64_t layer) {
  int64_t d = model.width, qk = model.qkWidth(), ff = model.ffWidth();
  double residual = std::sqrt(2 * static_cast<double>(model.layers));
  auto deviation = [](int64_t inputs) {
    return std::sqrt(kVariance / static_cast<double>(inputs));
  };
  std::string attention = fmt::format("layers.{}.attention.", layer);
  std::string inner = fmt::format("layers.{}.ff.", layer);
  addVector(attention + "norm.weight", d, 1);
  addVector(attention + "norm.bias", d);
  add(attention + "query.weight", qk, d, deviation(d));
  add(attention + "key.weight", qk, d, deviation(d));
  add(attention + "value.weight", d, d, deviation(d));
  addVector(attention + "query.bias", qk);
  addVector(attention + "key.bias", qk);
  addVector(attention + "value.bias", d);
  add(attention + "output.weight", d, d, deviation(d) / residual);
  addVector(attention + "output.bias", d);
  addVector(inner + "norm.weight", d, 1);
  addVector(inner + "norm.bias", d);
  add(inner + "inner.weight", ff, d, deviation(d));
  addVector(inner + "inner.bias", ff);
  add(inner + "outer.weight", d, ff, deviation(ff) / residual);
  addVector(inner + "outer.bias", d);
}

void Parameters::add(const std::string &name, int64_t rows, int64_t columns, double deviation) {
  byName[name] = table.size();
  table.push_back({.name = name,
                   .rows = rows,
                   .columns = columns,
                   .offset = flat,
                   .decays = true,
                   .deviation = deviation});
  flat = (flat + rows * columns + kAlign - 1) / kAlign * kAlign;
}

void Parameters::addVector(const std::string &name, int64_t size, double fill) {
  byName[name] = table.size();
  table.push_back({.name = name, .columns = size, .offset = flat, .fill = fill});
  flat = (flat + size + kAlign - 1) / kAlign * kAlign;
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
