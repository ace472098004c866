// Operations of arith and math, and tile.mask, on scalars and on vectors of lanes; what their types
// become.
#pragma once

#include "codegen/cpu/emit/Code.h"

#include "mlir/IR/BuiltinAttributeInterfaces.h"
#include "mlir/IR/Operation.h"

namespace sparsec::cpu {

/// Of an element in a register: floats are f32.
llvm::Type *registerType(Code &code, mlir::Type element);
/// Of an element of a computed tile in memory: i1 is i8.
llvm::Type *memoryType(Code &code, mlir::Type element);
/// As memory that is not ours holds elements: 16-bit floats as i16.
llvm::Type *inMemory(Code &code, mlir::Type element);

/// Integers of fewer than 32 bits are unsigned and widened.
llvm::Value *fromMemory(Code &code, llvm::Value *bits, mlir::Type element);
llvm::Value *toMemory(Code &code, llvm::Value *value, mlir::Type element);

/// A number, or the one number of a splat.
llvm::Value *constant(Code &code, mlir::TypedAttr value);
/// Scalars, or vectors of one size.
llvm::Value *arithmetic(Code &code, mlir::Operation *op, llvm::ArrayRef<llvm::Value *> operands);

} // namespace sparsec::cpu
