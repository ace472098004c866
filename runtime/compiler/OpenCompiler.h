// The compiler, opened when something is first compiled: the library libsparsec-compiler beside the
// one that this code is in, or where the environment variable SPARSEC_COMPILER says.
//
// Refused, as Machine errors that say what was looked for: a library that is not there or does not
// open, or that comes from another version.
#pragma once

#include "kernel/CompilerInterface.h"

#include <mutex>

namespace sparsec {

class OpenCompiler {
public:
  Result<std::vector<Kernel>> compile(const Request &request);

private:
  Result<const CompilerInterface *> open();

  std::mutex mutex;
  const CompilerInterface *interface = nullptr; ///< never closed: LLVM does not like it
};

} // namespace sparsec
