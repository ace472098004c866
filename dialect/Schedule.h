// What a kernel says of how its target is to run it, beside what it computes: attributes of
// tile.kernel that change no result, and that targets without such a choice do not look at.
#pragma once

#include "llvm/ADT/StringRef.h"

namespace sparsec::tile {

/// Blocks of its folds over ranges that are in fast memory at once, at least 2.
inline constexpr llvm::StringLiteral kStagesAttr = "tile.stages";

} // namespace sparsec::tile
