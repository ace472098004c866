// What the launches of a built pattern need at -n: the numbers of each request, once for all heads
// that need the same, the heads that launches take in groups, and how many slices decode has.
#pragma once

#include "tools/sparsec/Manifest.h"

namespace sparsec::cli {

/// Fills in numbers, launches and `at`: for every layer, in it for every request and the heads that
/// use it. Needs the plan alone, not its kernels.
Result<void> buildLaunches(Build &build, const Lengths &at);

} // namespace sparsec::cli
