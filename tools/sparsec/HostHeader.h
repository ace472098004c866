// What the C header says beyond the argument struct, for programs that link kernels of the cpu
// target: the tile functions, their scratch, and the numbers of the pattern that a launch needs.
#pragma once

#include "tools/sparsec/Manifest.h"

namespace sparsec::cli {

/// The declaration of a kernel of the cpu target, its blocks and its scratch.
std::string hostDeclaration(const BuiltKernel &built);

/// Which heads of the model use which entry, layer by layer; dims.
std::string patternConstants(const Build &build);

/// The numbers of a launch and the files of its arrays; 0 where it has none.
std::string launchConstants(const Build &build, const BuiltLaunch &launch);

/// "window_recent" -> "WINDOW_RECENT"
std::string upperCase(const std::string &name);
/// What the names of a kernel's constants begin with: "WINDOW_RECENT_FORWARD_CPU".
std::string constantPrefix(const Kernel &kernel);

} // namespace sparsec::cli
