// How a kind of product (plan/ProductKind.h) is written.
//
// Either a register tile at a time, `sum`: some rows of the result in registers, on which the rest
// of the sweep then goes on; or a panel at once into the result's memory, `intoMemory`, where the
// kind says sumsInMemory.
#pragma once

#include "codegen/cpu/emit/Code.h"
#include "codegen/cpu/plan/Plan.h"

namespace sparsec::cpu {

class KernelEmitter;
struct Cell;
struct Storage;

struct ProductEmission {
  /// Before and after a kernel that has products of the kind; null: nothing.
  void (*begin)(KernelEmitter &) = nullptr;
  void (*end)(KernelEmitter &) = nullptr;
  /// What `start`, a vector for each part of the rows from `row` on, is with the products added.
  std::vector<LaneVectors> (*sum)(KernelEmitter &, const Sweep &, Cell &panel, llvm::Value *row,
                                  const std::vector<LaneVectors> &start) = nullptr;
  void (*intoMemory)(KernelEmitter &, const Sweep &, Cell &panel) = nullptr;
};

struct OperandEmission {
  /// Fills `to` from memory's rows.
  void (*load)(KernelEmitter &, tile::LoadOp, llvm::Value *pointers, Storage &to) = nullptr;
  /// Stores what an operation has made in OperandForm::rowsAtOnce rows that follow each other.
  void (*pack)(KernelEmitter &, mlir::Operation *, llvm::MutableArrayRef<Cell> rows,
               const Storage &to) = nullptr;
};

} // namespace sparsec::cpu
