// A back end as one row: how tile programs become code on one path.
//
//   path   passes on tile    then               texts of emit()    blocks
//   Sm80   addTilePasses     warp, (llvm)       llvm, ptx          ptx/sm80/Blocks.cpp
//   Cpu    addCpuTilePasses                     plan, llvm, asm    cpu/Blocks.cpp
//
// Nothing asks what kind of machine a target is: what differs between them stands here.
#pragma once

#include "kernel/Kernel.h"

#include "mlir/IR/BuiltinOps.h"

#include <span>

namespace mlir {
class OpPassManager;
}

namespace sparsec {

/// What a module of kernels became.
struct Emitted {
  std::string code;   ///< Kernel::code
  std::string object; ///< Kernel::object
  std::string text;   ///< that was to be kept
  /// Of each kernel, in order: threads, sharedBytes, scratchBytes, usesAmx.
  struct Resources {
    std::string entry;
    int threads = 0, sharedBytes = 0;
    int64_t scratchBytes = 0;
    bool usesAmx = false;
  };
  std::vector<Resources> kernels;
};

struct Backend {
  Path path;
  void (*addTilePasses)(mlir::OpPassManager &passes);
  struct Stage {
    std::string_view name; ///< empty: nobody prints its module
    void (*addPasses)(mlir::OpPassManager &passes);
  };
  std::span<const Stage> stages;           ///< after `tile`; emit() takes the last one's module
  std::span<const std::string_view> texts; ///< that emit() can keep: nothing else is made then
  /// `keep`: one of `texts`, or empty.
  Result<Emitted> (*emit)(mlir::ModuleOp module, const Target &target, std::string_view keep);
  /// What begins a line that is no code, for whoever reads it; empty: the code is no text.
  std::string_view comment;
};

std::span<const Backend> backends();
const Backend &backendOf(const Target &target);

} // namespace sparsec
