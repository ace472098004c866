// Runs passes of LLVM over every function of a module, for both code generators.
#pragma once

#include "llvm/IR/PassManager.h"

namespace llvm {
class TargetMachine;
}

namespace sparsec {

void runPasses(llvm::Module &module, llvm::TargetMachine &machine,
               llvm::FunctionPassManager passes);

} // namespace sparsec
