#include "tools/sparsec/Layers.h"

#include "patterns/LayerEntries.h"
#include "runtime/Attention.h"
#include "tools/sparsec/Terminal.h"

#include <algorithm>
#include <fmt/core.h>
#include <set>

namespace sparsec::cli {

std::string Layer::title() const {
  return fmt::format("layer{} {} of {}", indices.size() > 1 ? "s" : "", abbreviated(indices), of);
}

std::vector<Layer> distinctLayers(const Pattern &pattern) {
  auto count = std::max<int64_t>(static_cast<int64_t>(pattern.layers.size()), 1);
  std::vector<Layer> distinct;
  std::map<std::vector<int>, size_t> found;
  for (int64_t i = 0; i < count; ++i) {
    std::vector<int> entries = layerEntries(pattern, i);
    auto [at, isNew] = found.emplace(entries, distinct.size());
    if (isNew)
      distinct.push_back({std::move(entries), {}, count});
    distinct[at->second].indices.push_back(i);
  }
  return distinct;
}

const Layer &layerAt(const std::vector<Layer> &distinct, int64_t index) {
  for (const Layer &layer : distinct)
    if (std::ranges::binary_search(layer.indices, index % layer.of))
      return layer;
  assert(false && "every layer of the file is one of the distinct ones");
  return distinct.front();
}

std::vector<EntryUse> usesOf(const Layer &layer, int64_t modelHeads) {
  std::vector<EntryUse> uses;
  auto places = static_cast<int64_t>(layer.entries.size());
  for (int64_t place = 0; place < places; ++place)
    uses.push_back({layer.entries[place], headsOfEntry(place, places, modelHeads)});
  return uses;
}

std::vector<int> entriesOf(const std::vector<Layer> &layers) {
  std::set<int> entries;
  for (const Layer &layer : layers)
    entries.insert(layer.entries.begin(), layer.entries.end());
  return {entries.begin(), entries.end()};
}

Pattern patternOf(const Pattern &pattern, const Layer &layer) {
  Pattern one = pattern;
  one.heads.clear();
  one.layers.clear();
  for (int entry : layer.entries)
    one.heads.push_back(pattern.heads[entry]);
  return one;
}

} // namespace sparsec::cli
