// Which compiler this build has: kernels that another one made may be others.
#pragma once

namespace sparsec {

/// "sparsec 0.1.0, llvm 22.1.0, 9f86d081884c7d65": the versions, and a hash of the compiler's code.
const char *compilerStamp();

} // namespace sparsec
