// The parts of `sparsec show`.
#pragma once

#include "tools/sparsec/Command.h"
#include "tools/sparsec/LayerHeads.h"
#include "tools/sparsec/ManyPatterns.h"
#include "tools/sparsec/Views.h"

#include <nlohmann/json.hpp>

namespace sparsec::cli {

struct ShowOptions {
  ManyPatterns patterns;
  std::string target = "sm_80";
  bool stats = false;
  std::optional<TokenGrid> grid;
  std::optional<int64_t> query;
  std::optional<int64_t> layers;
  bool noResidual = false;
  std::string png, npy, colour = "auto";

  const PatternFlags &flags() const { return patterns.flags; }
  int64_t n(const LoadedPattern &loaded) const;
  int64_t asked() const; ///< the query on the grid
  ReachRequest::Residual residual() const {
    return noResidual ? ReachRequest::Residual::Without : ReachRequest::Residual::With;
  }
};

/// How a head would be computed at this length, and that as layouts of its parts.
struct Drawn {
  HeadRow row;
  Candidate way;
  std::vector<BlockLayout> layouts;
};
/// The heads of each of the layers.
Result<std::vector<std::vector<Drawn>>> drawnHeads(const ShowOptions &options,
                                                   const LoadedPattern &loaded,
                                                   const Target &target, Ledger &ledger);

/// The mask of a layer's heads, as a NumPy array.
Result<void> writeMask(const ShowOptions &options, const std::vector<LoadedPattern> &patterns);
/// Everything that was asked for, as one PNG.
Result<void> writeFigure(const ShowOptions &options, const std::vector<LoadedPattern> &patterns,
                         const Target &target, Ledger &ledger);

} // namespace sparsec::cli
