// PATTERN... and -e EXPR..., for commands that put several patterns side by side.
#pragma once

#include "tools/sparsec/PatternFlags.h"

namespace sparsec::cli {

struct ManyPatterns {
  PatternFlags flags;                   ///< what holds for all of them
  std::vector<std::string> patterns;    ///< paths and names
  std::vector<std::string> expressions; ///< each -e
};

void declareManyPatterns(Options &options, ManyPatterns &many);

/// The flags of each, in the order given, expressions last. Of several patterns, a --param goes to
/// those that have it; one must.
Result<std::vector<PatternFlags>> flagsOfEach(const ManyPatterns &many);

/// All of them, expressions named by their texts when there are several patterns.
Result<std::vector<LoadedPattern>> loadAll(const ManyPatterns &many);

} // namespace sparsec::cli
