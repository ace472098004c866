// Writes one tile.kernel as a function of LLVM IR:
//
//   void entry(const void *arguments, int32 x, int32 y, int32 z, void *scratch)
//
// where the arguments are the struct of the kernel's Signature.
//
// What is to be done stands in its Plan.
#pragma once

#include "codegen/cpu/emit/Views.h"

#include "llvm/Support/SaveAndRestore.h"

namespace sparsec::cpu {

class KernelEmitter {
public:
  KernelEmitter(const Plan &plan, llvm::Module &module);

  mlir::LogicalResult run();
  int64_t scratchBytes() const { return frame.allocated; }
  const Signature &signature() const { return frame.takes; }

  using Operation = mlir::Operation;
  using Value = mlir::Value;

  // Kernel.cpp: the function, scalars, rows, loops.
  mlir::LogicalResult bindArguments();
  void emitGroups(llvm::ArrayRef<Group> groups);
  void emitSerial(Operation *op);
  void emitLoop(Operation *loop);
  void emitScalarReduce(tile::ReduceOp op);
  void beginCarries(const Loop &loop);
  void endCarries(const Loop &loop);
  llvm::Value *scalarPointer(Value view, Value index);

  // Slices.cpp
  void beginSlices();
  std::pair<llvm::Value *, llvm::Value *> sliceOf(int laneClass, int64_t count, int64_t each);

  // Prefetch.cpp
  NextBlock nextBlock(tile::LoadOp load, llvm::Value *pointers);
  void prefetch(const Sweep &sweep, const Cell &panel, llvm::Value *row, int count);
  void prefetchNextItem(const Group &group, const Cell &cell);
  void prefetchRow(llvm::Value *pointers, llvm::Value *row, int64_t bytes);

  // Groups.cpp: panels and sweeps.
  void beginGroup(const Group &group);
  void emitGroup(const Group &group);
  void emitSweep(const Sweep &sweep, Cell &panel);
  Cell partsOf(const Cell &panel, int first, int count);
  Code::Values emitRowLoop(const Sweep &sweep, Cell &panel);
  void emitVectors(const Sweep &sweep, Cell &panel);
  Code::Values emitRow(const Sweep &sweep, Cell &cell, llvm::ArrayRef<llvm::Value *> sums);

  // RowGroups.cpp
  void emitRowGroup(const Group &group);
  void findStorePlaces(const Group &group);
  void writeRow(Operation *store, Cell &cell);
  llvm::Value *acrossLanes(tile::ReduceKind kind, llvm::ArrayRef<llvm::Value *> parts);

  // Reductions.cpp
  llvm::Value *combine(tile::ReduceKind kind, llvm::Value *a, llvm::Value *b);
  std::optional<Code::Values> unmaskedSums(const Sweep &sweep, const Cell &panel);
  Code::Values startReductions(const Sweep &sweep, const PanelShape &shape);
  void endReductions(const Sweep &sweep, Cell &panel, llvm::ArrayRef<llvm::Value *> sums);
  Code::Values reduceRow(const Sweep &sweep, Cell &cell, llvm::ArrayRef<llvm::Value *> sums);

  // LiveRows.cpp
  LiveRows findLiveRows(tile::MaskOp mask, const Cell &panel);
  std::pair<llvm::Value *, llvm::Value *> liveRange(int rowClass, int64_t rows, const Cell &panel);

  // Products.cpp: register tiles.
  static constexpr int64_t kStepsAtOnce = 4; ///< of a sum; sides of tiles are multiples of 16
  Code::Values emitProduct(const Sweep &sweep, Cell &panel);
  Code::Values emitProductRows(const Sweep &sweep, Cell &panel, llvm::Value *row, int count,
                               llvm::ArrayRef<llvm::Value *> sums);
  /// Where the two operands of a sum are from step to step. The loops of register tiles step these
  /// addresses themselves, since LLVM's strength reduction does not run (EmitCpu.cpp).
  struct Strides {
    int64_t broadcast = 0;         ///< what a step adds to `at`
    llvm::Value *across = nullptr; ///< pointer to the lanes of step 0
    int64_t acrossBytes = 0;       ///< from each step's to the next one's
    /// Pointers that steps go on from, and how far behind them the next register tile's are.
    llvm::ArrayRef<llvm::Value *> rows = {};
    llvm::Value *toNext = nullptr; ///< null: nobody can say
  };
  using AddStep = llvm::function_ref<void(llvm::Value *at, llvm::Value *across,
                                          llvm::MutableArrayRef<llvm::Value *> sums)>;
  std::vector<LaneVectors> sumInSteps(const std::vector<LaneVectors> &start, llvm::Value *begin,
                                      llvm::Value *end, const Strides &strides, AddStep add);

  // Elements.cpp: what happens to one row.
  LaneVectors lanes(Value value, Cell &cell);
  LaneVectors computeLanes(Value value, Operation *op, Cell &cell);

  // Copies.cpp, Loads.cpp, Stores.cpp
  const Storage &operand(Operation *op, Value value);
  void copyTile(const Storage &to, Value value, const Storage *from = nullptr);
  void copyInto(const Storage &to, Value value);
  void emitLoad(tile::LoadOp load);
  void loadInPlace(tile::LoadOp load, llvm::Value *pointers);
  void loadVector(tile::LoadOp load);
  void loadStretch(const View &view, llvm::Value *from, const Stretch &stretch, const Storage &to);
  void loadElements(tile::LoadOp load, const Storage &to);
  void loadAsRows(tile::LoadOp load, const Storage &to, llvm::Value *pointers);
  void loadTransposed(const View &view, int64_t columns, const Storage &to, llvm::Value *pointers);
  void storeVector(tile::StoreOp store);
  template <class Op>
  void emitStore(Op store, Cell &panel);
  /// Where the rows of a matrix are written, and which columns.
  struct StorePlace {
    llvm::Value *pointers = nullptr;
    Stretch columns;
    llvm::Value *streams = nullptr; ///< whether they pass the caches; null: no
  };
  llvm::Value *streams(tile::StoreOp store, const Stretch &columns);
  template <class Op>
  void writeLanes(Op store, const StorePlace &to, llvm::Value *row, llvm::Value *column,
                  llvm::ArrayRef<llvm::Value *> values);
  Frame frame;
  TileMemory tiles{frame};
  Positions positions{frame};
  Views views{frame, positions};
  const Plan &plan;
  const Dataflow &flow;
  const Dimensions &dims;
  llvm::Module &module;
  Code &code;
  struct {
    llvm::Value *begin = nullptr, *end = nullptr; ///< lanes
  } slice;
  bool hasStreams = false; ///< stores that pass the caches
  /// Of the block that the innermost fold is at, if it goes over all blocks of a row. In a full one
  /// masks keep what they are given.
  llvm::Value *isPartial = nullptr;
  bool inFullBlock = false; ///< what is emitted is for full blocks alone
  struct {
    tile::FoldOp op;
    llvm::Value *index = nullptr, *end = nullptr; ///< of its list of blocks
    llvm::Value *toNext = nullptr;                ///< blocks from this one to the next, once asked
  } fold;                                         ///< whose body is emitted
  llvm::DenseMap<Operation *, StorePlace> storePlaces;
};

} // namespace sparsec::cpu
