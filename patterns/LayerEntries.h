// Which entries of a pattern the heads of a layer take in turn.
//
//   entries a b, no layers          every layer: [a, b]     head h takes entry h mod 2
//   layers: [a, [b, a, b, a]]       layers 0 2 4 ..: [a]    layers 1 3 5 ..: [b, a]
#pragma once

#include "patterns/Pattern.h"

namespace sparsec {

/// As the shortest list that says it. Layers repeat: any index from 0 is one.
std::vector<int> layerEntries(const Pattern &pattern, int64_t layer);
/// Whether all layers take the same.
bool layersAreOne(const Pattern &pattern);

} // namespace sparsec
