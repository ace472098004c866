#include "layout/BlockLayout.h"
#include "model/Transformer.h"
#include "patterns/LayerEntries.h"

#include <fmt/format.h>
#include <set>

namespace sparsec {

/// The least x in [0, n] for which pairs of `attend` with `axis` below it exist; some do below n.
static Result<int64_t> leastOf(const Expr &attend, Op axis, const LayoutRequest &request) {
  int64_t without = 0, with = request.nk; // positions below
  while (with - without > 1) {
    int64_t middle = without + (with - without) / 2;
    Expr below = make(Op::Less, {leaf(axis), integer(middle)});
    Result<int64_t> pairs = countElements(make(Op::And, {attend, below}), request);
    if (!pairs)
      return pairs.error();
    (*pairs > 0 ? with : without) = middle;
  }
  return with - 1;
}

Result<void> checkLooksBack(const Pattern &pattern, const ModelConfig &config) {
  std::set<std::pair<int, int64_t>> checked;
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    std::vector<int> entries = layerEntries(pattern, layer);
    for (int64_t h = 0; h < config.heads; ++h) {
      int entry = entries[h % entries.size()];
      const HeadEntry &head = pattern.heads[entry];
      if (!checked.emplace(entry, mentions(head.attend, Op::Head) ? h : 0).second)
        continue;
      LayoutRequest request{.nq = config.length, .nk = config.length, .h = h};
      Expr ahead = make(Op::And, {head.attend, make(Op::Less, {leaf(Op::Query), leaf(Op::Key)})});
      Result<int64_t> pairs = countElements(ahead, request);
      if (!pairs)
        return pairs.error();
      if (*pairs == 0)
        continue;
      Result<int64_t> q = leastOf(ahead, Op::Query, request);
      if (!q)
        return q.error();
      Expr there = make(Op::And, {ahead, make(Op::Equal, {leaf(Op::Query), integer(*q)})});
      Result<int64_t> k = leastOf(there, Op::Key, request);
      if (!k)
        return k.error();
      return inputError(fmt::format("pattern '{}': position {} sees position {} in head '{}': a "
                                    "model that predicts what comes next may not look ahead",
                                    pattern.name, *q, *k, head.name));
    }
  }
  return {};
}

} // namespace sparsec
