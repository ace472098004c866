// What `sparsec explain` says of an operation, in sections.
#pragma once

#include "layout/LaunchNumbers.h"
#include "tools/sparsec/BackwardPlan.h"

namespace sparsec::cli {

/// One text for each head or kernel, under its name.
struct Section {
  std::string name;
  std::string text;
};
using Sections = std::vector<Section>;

/// The length at which layouts are drawn when none is given.
inline constexpr int64_t kDrawnAt = 512;

/// "row, column"
std::string entryNames(const LoadedPattern &loaded, const std::vector<int> &entries);
/// The heads that the first launch for an entry is for; one where the model has too few.
Heads firstHeads(const LoadedPattern &loaded, int entry);
/// How a kernel is told its blocks, and why.
std::string blocksText(const LaunchNumbers &numbers);

/// `after`: empty for what was decided and why, else a stage.
Result<Sections> explainBackward(const BackwardPlan &plan, const std::string &after);

} // namespace sparsec::cli
