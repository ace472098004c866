// How the operations of a tile program read each other.
//
// Values of a fold's regions go by one name: what `lead` and `step` take is what `fetch` and `lead`
// yielded. Some operations cost nothing to repeat and are done by whoever reads them:
//
//   constants, splat, expand                     "free"
//   o * decay, read by dot(p, v, acc) alone      "deferred": done as the sums are loaded
//   a load widened to f32                        "deferred": read so from memory
//
// so an operation's reads go through those to what must exist before it.
#pragma once

#include "codegen/common/Carries.h"

namespace sparsec::cpu {

/// Which elements of a tile an operation needs for one element of its own.
enum class Access {
  Cell,  ///< the same element
  Lane,  ///< those of the same lane: a column of the summed operand, a row statistic
  Whole, ///< any
};

struct Read {
  mlir::Value value;
  Access access;
};

class Dataflow {
public:
  explicit Dataflow(tile::KernelOp kernel);

  /// The value itself, or what a fold's region yielded under this name.
  mlir::Value resolve(mlir::Value value) const;
  bool isFree(mlir::Value value) const;
  bool isDeferred(mlir::Operation *op) const { return deferred.contains(op); }
  /// Operations that read a value other than through its region's names; a fold's yield reads too.
  llvm::ArrayRef<mlir::Operation *> readers(mlir::Value value) const;
  /// The operations of a fold's regions, in the order they run.
  static llvm::SmallVector<mlir::Operation *> body(mlir::Operation *loop);

private:
  void findDeferred(tile::KernelOp kernel);
  bool readOnlyByAccumulator(mlir::Operation *op) const;
  bool isWidenedLoad(mlir::Operation *op) const;
  void countReads(mlir::Operation *reader, mlir::Value value);

  llvm::DenseMap<mlir::Value, mlir::Value> names;
  llvm::DenseSet<mlir::Operation *> deferred;
  llvm::DenseMap<mlir::Value, llvm::SmallVector<mlir::Operation *, 4>> readersOf;
};

/// Elementwise on tiles: arith, math, tile.mask.
bool isElementwise(mlir::Operation *op);
mlir::RankedTensorType tileType(mlir::Value value); ///< null when it is no tile
bool isMatrix(mlir::Value value);
bool isVector(mlir::Value value);

} // namespace sparsec::cpu
