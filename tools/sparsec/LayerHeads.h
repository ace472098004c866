// Which entries of a pattern the model's heads use in a layer.
#pragma once

#include "layout/analysis/Reach.h"
#include "tools/sparsec/PatternFlags.h"

namespace sparsec::cli {

/// Each head once; an entry that does not tell heads apart is there once.
struct LayerHeads {
  std::vector<std::string> names;
  std::vector<ReachHead> heads;
};
/// Layer i uses the file's layer i mod their number; without `layers:`, every entry.
LayerHeads headsOf(const LoadedPattern &loaded, int64_t layer);

/// The first `layers` layers.
ReachRequest reachRequest(const LoadedPattern &loaded, int64_t n, int64_t layers,
                          ReachRequest::Residual residual);

} // namespace sparsec::cli
