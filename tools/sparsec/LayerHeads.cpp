#include "tools/sparsec/LayerHeads.h"

#include <set>

namespace sparsec::cli {

LayerHeads headsOf(const LoadedPattern &loaded, int64_t layer) {
  const Pattern &pattern = loaded.pattern;
  std::vector<int> entries;
  if (pattern.layers.empty())
    for (size_t i = 0; i < pattern.heads.size(); ++i)
      entries.push_back(static_cast<int>(i));
  else
    entries = pattern.layers[layer % pattern.layers.size()];
  LayerHeads result;
  std::set<int> named, used;
  for (int64_t h = 0; h < loaded.heads; ++h) {
    int entry = entries[h % entries.size()];
    const HeadEntry &head = pattern.heads[entry];
    if (named.insert(entry).second)
      result.names.push_back(head.name);
    if (mentions(head.attend, Op::Head) || used.insert(entry).second)
      result.heads.push_back({head.attend, h});
  }
  return result;
}

ReachRequest reachRequest(const LoadedPattern &loaded, int64_t n, int64_t layers,
                          ReachRequest::Residual residual) {
  ReachRequest request = {.n = n, .residual = residual};
  for (int64_t i = 0; i < layers; ++i)
    request.layers.push_back(headsOf(loaded, i).heads);
  return request;
}

} // namespace sparsec::cli
