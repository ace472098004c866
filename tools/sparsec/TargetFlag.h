// A target by name, the same for every command that compiles for one that may not be this
// machine's.
#pragma once

#include "kernel/Target.h"

namespace sparsec::cli {

/// What is wrong with the name; empty when nothing is.
std::string readTarget(const std::string &name, Target &target);

} // namespace sparsec::cli
