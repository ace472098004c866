// The compiler, as tools and tests call it: no MLIR, no LLVM.
//
//   AttentionRequest -> Request -> compile() -> the operation's Kernels (kernel/Kernel.h)
//
// What the compiler knows of operations is a table (dialect/Operations.h): sparsec's own, or the
// one that a caller brings to the functions that end in From.
#pragma once

#include "dialect/Operations.h"
#include "kernel/Request.h"

namespace sparsec {

/// The kernels of a request, in the order they run. A block that is open is chosen. Re-entrant:
/// kernels may be compiled from several threads.
Result<std::vector<Kernel>> compile(const Request &request);
Result<std::vector<Kernel>> compileFrom(std::span<const Operation> table, const Request &request);
/// Of an operation that has one.
Result<Kernel> compileKernel(const Request &request);

/// The text of a stage: "sparsec", "tile", "llvm"; "warp" and "ptx" of a GPU, "plan" and
/// "asm" of a CPU.
Result<std::string> explain(const Request &request, const std::string &stage);
Result<std::string> explainFrom(std::span<const Operation> table, const Request &request,
                                const std::string &stage);
std::vector<std::string> explainStages();

/// Of sparsec and of LLVM: other versions may give other code.
std::string compilerVersion();

} // namespace sparsec
