#include "patterns/LayerEntries.h"

#include <algorithm>
#include <numeric>

namespace sparsec {

std::vector<int> layerEntries(const Pattern &pattern, int64_t layer) {
  std::vector<int> list(pattern.heads.size());
  std::iota(list.begin(), list.end(), 0);
  if (!pattern.layers.empty())
    list = pattern.layers[static_cast<size_t>(layer) % pattern.layers.size()];
  for (size_t size = 1; size < list.size(); ++size)
    if (list.size() % size == 0 &&
        std::equal(list.begin() + static_cast<std::ptrdiff_t>(size), list.end(), list.begin())) {
      list.resize(size);
      break;
    }
  return list;
}

bool layersAreOne(const Pattern &pattern) {
  for (size_t layer = 1; layer < pattern.layers.size(); ++layer)
    if (layerEntries(pattern, static_cast<int64_t>(layer)) != layerEntries(pattern, 0))
      return false;
  return true;
}

} // namespace sparsec
