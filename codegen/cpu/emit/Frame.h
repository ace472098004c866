// The function of a kernel while it is written: its arguments, its scratch memory, its scalars.
#pragma once

#include "codegen/common/Derive.h"
#include "codegen/cpu/emit/Code.h"
#include "codegen/cpu/plan/Plan.h"

#include "llvm/IR/Module.h"

namespace sparsec::cpu {

struct Frame {
  Frame(const Plan &plan, llvm::Module &module);
  Frame(const Frame &) = delete;

  /// A field of the argument struct, or an element of an array field; null when there is none.
  llvm::Value *field(llvm::StringRef name, int index = 0);
  llvm::Value *field(LayoutField which) { return field(kLayoutFields[which].name); }
  llvm::Value *scalar(mlir::Value value);
  /// Scratch memory; the same whenever the code that asks for it runs.
  llvm::Value *allocate(int64_t bytes);
  llvm::Value *onStack(int integers);
  llvm::Value *zeros();

  const Plan &plan;
  const Signature takes;
  llvm::Module &module;
  Code code;
  llvm::Function *function = nullptr;
  llvm::Value *arguments = nullptr, *scratch = nullptr;
  llvm::Value *sink = nullptr; ///< where rows that do not exist are written
  int64_t allocated = 0;       ///< of the scratch memory
  llvm::DenseMap<mlir::Value, llvm::Value *> scalars;
};

} // namespace sparsec::cpu
