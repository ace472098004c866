// An object file becomes a shared object, by LLVM's linker as a library.
#pragma once

#include "patterns/Error.h"

#include <string>

namespace sparsec::cpu {

/// Links one object that calls nothing. Serialised: lld keeps its state in the process.
Result<std::string> linkSharedObject(const std::string &object);

} // namespace sparsec::cpu
