#include "tools/sparsec/LayerHeads.h"

#include <set>

namespace sparsec::cli {

LayerHeads headsOf(const LoadedPattern &loaded, int64_t layer) {
  LayerHeads result;
  std::set<int> once;
  for (const auto &[entry, heads] : usesOf(layerAt(loaded.distinct, layer), loaded.heads)) {
    const HeadEntry &head = loaded.pattern.heads[entry];
    bool apart = mentions(head.attend, Op::Head), isNew = heads.count && once.insert(entry).second;
    if (isNew)
      result.names.push_back(head.name);
    for (int64_t i = 0; i < (apart ? heads.count : isNew); ++i)
      result.heads.push_back({head.attend, heads.first + i * heads.step});
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
