// What libsparsec-compiler gives to the runtime that opens it: one function of C, which returns
// this.
//
// Both libraries come from one build, and are refused to each other where they do not: what passes
// between them are C++ objects.
#pragma once

#include "kernel/Request.h"

namespace sparsec {

struct CompilerInterface {
  const char *stamp; ///< kernel/CompilerStamp.h: both libraries' must be the same
  /// compile() of codegen/Compiler.h.
  Result<std::vector<Kernel>> (*compile)(const Request &request);
};

/// Of the exported function: const CompilerInterface *sparsec_compiler_interface().
using CompilerEntry = const CompilerInterface *(*)();
inline constexpr const char *kCompilerEntry = "sparsec_compiler_interface";

} // namespace sparsec
