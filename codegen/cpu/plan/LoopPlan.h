// In which order, and in which loops, the operations of one region run.
//
// A group is what runs panel by panel over one lane class; a sweep is one loop over the rows of a
// panel, or one product. The step of attention forward is one group of lanes = queries:
//
//   for each panel of 16 queries
//     product   S = K Q^T, and on each row of it: scale; in a full block the maximum
//     rows      of a block that has masks: mask, maximum
//     vectors   the new maximum, the decay of what was summed before it
//     rows      P = exp2(S - maximum), running sum, rounding
//     vectors   the new sum
//     product   O = O decay + V^T P
//
// so a panel of S and P stays in the first-level cache. What has no lanes (scalars, rows, loads,
// loops) is in groups of its own, one after the other. An operation joins the earliest group, then
// the earliest sweep, that runs after all it reads.
//
// A group that reduces along its lanes, or does nothing but arithmetic on tiles as memory has them,
// goes row by row instead, so that memory is read and written in its order:
//
//   for each row
//     for each panel of the row     load, arithmetic, store; sums of vectors
//     the sums across a vector's lanes
#pragma once

#include "codegen/cpu/plan/Dimensions.h"
#include "codegen/cpu/plan/Place.h"

namespace sparsec::cpu {

struct Sweep {
  enum Kind { Rows, Vectors, Store } kind = Rows;
  tile::DotOp dot;   ///< Rows: the product whose rows these are, if they come from one
  int rowClass = -1; ///< Rows: what the rows are
  int64_t rows = 0;
  llvm::SmallVector<mlir::Operation *> ops; ///< beside the product
  /// Of a product: reductions of a later sweep that are of its rows where masks keep everything.
  llvm::SmallVector<tile::ReduceOp> unmasked;
};

/// A tile that is put into another place, or one that is in none yet.
struct Copy {
  mlir::Value value;
  int to;
};

struct Group {
  static constexpr int kSerial = -1;
  int laneClass = kSerial;
  llvm::SmallVector<mlir::Operation *> ops;
  bool byRows = false; ///< row by row, one sweep

  // Of lanes; the planner fills it in (Planner.h), places are numbers of Plan::places.
  PanelShape shape;
  std::vector<Sweep> sweeps;
  llvm::SmallVector<int> made;            ///< places that begin here
  std::vector<Copy> copies;               ///< operands of products, before the panels
  llvm::SmallVector<mlir::Value> vectors; ///< what is read of each panel as it begins
  llvm::SmallVector<mlir::Value> perRow;  ///< byRows: one number of each row
  llvm::SmallVector<int> nextItem;        ///< byRows: whose next rows are asked for
  tile::MaskOp liveRows;                  ///< of a mask, whose empty rows are left out
};

class LoopPlan {
public:
  LoopPlan(const Dataflow &flow, const Dimensions &dims) : flow(flow), dims(dims) {}

  std::vector<Group> groups(llvm::ArrayRef<mlir::Operation *> ops) const;
  std::vector<Sweep> sweeps(const Group &group) const;
  /// What must exist before an operation, past what is free or deferred.
  llvm::SmallVector<Read> reads(mlir::Operation *op) const;
  /// The class of an operation's lanes, or Group::kSerial.
  int laneClass(mlir::Operation *op) const;

private:
  struct Draft;
  bool mayGoByRows(mlir::Operation *op) const;
  bool fits(mlir::Operation *op, const Draft &group) const;
  void add(mlir::Operation *op, Draft &group) const;
  int lastGroup(mlir::Operation *op, llvm::ArrayRef<Draft> groups,
                const llvm::DenseMap<mlir::Operation *, int> &place) const;
  void collect(mlir::Value operand, Access access, int laneDim,
               llvm::SmallVectorImpl<Read> &out) const;
  void collectDot(tile::DotOp dot, llvm::SmallVectorImpl<Read> &out) const;

  const Dataflow &flow;
  const Dimensions &dims;
};

/// Whether only masks ask for it: for full blocks nobody does.
bool isForMasksAlone(mlir::Operation *op);
/// The value itself, or what masks were given that made it.
mlir::Value unmasked(const Dataflow &flow, mlir::Value value);

/// Which operand of a product lies across lanes, and how both are indexed.
struct DotOperands {
  mlir::Value lanes;     ///< [sum, lane]
  int lanesDim;          ///< its dimension across lanes
  mlir::Value broadcast; ///< [row, sum]
  int rowDim;            ///< its dimension of the result's rows
  int64_t rows, sum;
};
DotOperands dotOperands(tile::DotOp dot, const Dimensions &dims);

} // namespace sparsec::cpu
