// Which dimension of a tile lies across vector lanes.
//
//   S = Q K^T      [q, k]     lanes = q: row statistics need no horizontal step,
//   m = max S      [q]                   K and V are read one element at a time, as they lie
//   O = P V        [q, e]     lanes = q
//
// Dimensions that index the same things are one class (q above): elementwise operands share both
// dimensions, a product shares rows, columns and the summed one with its operands. A class is
// chosen for what it leaves parallel: many tiles, none of whose reductions run along it. What no
// product has anything to do with is computed, and reduced, as it lies in memory: lanes are its
// columns. Tiles of one lane class that follow each other are
// computed panel by panel: all of them for 16 queries, then for the next 16; or row by row
// (LoopPlan.h).
//
// Constants, splats and expansions belong to whoever reads them, so they join nothing.
#pragma once

#include "codegen/cpu/plan/Dataflow.h"

namespace sparsec::cpu {

class Dimensions {
public:
  Dimensions(tile::KernelOp kernel, const Dataflow &flow);

  /// The class of one dimension of a tile, or of rows (their only one).
  int classOf(mlir::Value value, int dim) const;
  /// The dimension of a matrix that lies across lanes; 0 for a vector.
  int laneDim(mlir::Value value) const;
  int laneClass(mlir::Value value) const { return classOf(value, laneDim(value)); }
  /// The class of what a matrix has rows of: its other dimension.
  int rowClass(mlir::Value matrix) const { return classOf(matrix, 1 - laneDim(matrix)); }
  /// A reduction of a matrix along its lanes.
  bool isAlongLanes(mlir::Operation *op) const;

private:
  int find(int id) const;
  int idOf(mlir::Value value, int dim) const;
  void unite(mlir::Value a, int dimA, mlir::Value b, int dimB);
  void uniteTiles(mlir::Value a, mlir::Value b);
  void uniteOperand(mlir::Value result, mlir::Value operand);
  void visit(mlir::Operation *op);
  void visitDot(tile::DotOp dot);
  void visitLoop(mlir::ValueRange init, mlir::ValueRange carries, mlir::ValueRange yields,
                 mlir::ValueRange results);
  void rankClasses(tile::KernelOp kernel);

  const Dataflow &flow;
  mutable llvm::DenseMap<mlir::Value, int> first;
  mutable std::vector<int> parent;
  llvm::DenseMap<int, double> merit; ///< of a class as the lanes'
  llvm::DenseSet<int> ofProducts;    ///< classes that an operand or a result has
};

} // namespace sparsec::cpu
