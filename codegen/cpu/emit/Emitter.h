// Writes one tile.kernel as a function of LLVM IR:
//
//   void entry(const void *arguments, int32 x, int32 y, int32 z, void *scratch)
//
// where the arguments are the struct of the kernel's Signature.
//
// What is to be done stands in its Plan.
#pragma once

#include "codegen/common/Derive.h"
#include "codegen/cpu/emit/Code.h"
#include "codegen/cpu/plan/Plan.h"

#include "llvm/IR/Module.h"
#include "llvm/Support/SaveAndRestore.h"

namespace sparsec::cpu {

/// Where the rows of a loaded tile lie in memory, and the fold's next block of them.
struct NextBlock {
  llvm::Value *pointers = nullptr; ///< to the rows
  llvm::Value *bytes = nullptr;    ///< from each to the same row there; null where nobody can say
  int64_t rowBytes = 0;
};

/// A place while a kernel runs.
struct Storage : Place {
  llvm::Value *base = nullptr;       ///< first byte, or the table of row pointers
  llvm::Type *type = nullptr;        ///< of an element in this memory
  llvm::Value *rowBytes = nullptr;   ///< of pointers to parts of rows: from each to the next one's
  llvm::Value *toNextItem = nullptr; ///< and to that of the next work item; null: nobody can say
  NextBlock next;
};

inline int64_t bytesOf(llvm::Type *element) {
  return element->getScalarSizeInBits() / 8;
}

/// The rows of one class that a panel's code goes over; all of any other class.
struct LiveRows {
  int rowClass = -1;
  llvm::Value *begin = nullptr, *end = nullptr; ///< null: all
};

/// Where elementwise code is: lanes of one row of one panel, and what is known there.
struct Cell {
  llvm::Value *panel = nullptr; ///< index
  llvm::Value *row = nullptr;   ///< null among vectors
  int laneDim = 0;
  PanelShape shape;
  llvm::DenseMap<mlir::Value, LaneVectors> known;
  // Of a panel:
  LiveRows live;
  llvm::DenseMap<mlir::Operation *, LaneVectors> unmasked; ///< of its Sweep::unmasked, so far
  const llvm::DenseMap<mlir::Value, LaneVectors> *vectors = nullptr; ///< of the panel

  /// A row of this panel.
  Cell atRow(llvm::Value *row, int laneDim) const {
    Cell cell;
    cell.panel = panel, cell.row = row, cell.laneDim = laneDim, cell.shape = shape;
    cell.vectors = &known;
    return cell;
  }
};

/// A view argument as fields of the argument struct.
struct View {
  llvm::Value *base = nullptr;
  llvm::SmallVector<llvm::Value *> strides; ///< in elements
  llvm::Type *element = nullptr;            ///< as memory holds it: 16-bit floats as i16
  mlir::Type type;
};

/// Positions of rows; row r exists when positions[r] < length, unsigned.
struct RowTable {
  llvm::Value *positions = nullptr; ///< i32[size]
  llvm::Value *length = nullptr;
  int64_t size = 0, heads = 1;
  llvm::Value *first = nullptr; ///< position of row 0, where the others follow one by one
};

/// Positions that lie side by side in memory.
struct Stretch {
  llvm::Value *first = nullptr; ///< in 64 bits; null: 0
  llvm::Value *live = nullptr;  ///< how many exist, at most `size`; null: all
  int64_t size = 0;
};

/// The live blocks of a row while a kernel runs: places on the stack, filled from tables or from
/// the row's closed form.
struct BlockList {
  llvm::Value *bounds = nullptr; ///< i32[3]: partial ones begin, full ones begin, both end
  llvm::Value *runs = nullptr;   ///< i32[3] of each run of a closed form: first, step, end
};

class KernelEmitter {
public:
  KernelEmitter(const Plan &plan, llvm::Module &module);

  mlir::LogicalResult run();
  int64_t scratchBytes() const { return allocated; }
  const Signature &signature() const { return takes; }

  using Operation = mlir::Operation;
  using Value = mlir::Value;

  // Kernel.cpp: the function, scalars, rows, loops.
  mlir::LogicalResult bindArguments();
  llvm::Value *field(llvm::StringRef name, int index = 0);
  llvm::Value *field(LayoutField which) { return field(kLayoutFields[which].name); }
  void emitGroups(llvm::ArrayRef<Group> groups);
  void emitSerial(Operation *op);
  void emitLoop(Operation *loop);
  void emitScalarReduce(tile::ReduceOp op);
  void beginCarries(const Loop &loop);
  void endCarries(const Loop &loop);
  llvm::Value *scalar(Value value);
  llvm::Value *scalarPointer(Value view, Value index);

  // Slices.cpp
  void beginSlices();
  std::pair<llvm::Value *, llvm::Value *> sliceOf(int laneClass, int64_t count, int64_t each);

  // Prefetch.cpp
  NextBlock nextBlock(tile::LoadOp load, llvm::Value *pointers);
  void prefetch(const Sweep &sweep, const Cell &panel, llvm::Value *row, int count);
  static constexpr int64_t kRowsAhead = 4; ///< that copies ask for
  void prefetchNextItem(const Group &group, const Cell &cell);
  void prefetchRow(llvm::Value *pointers, llvm::Value *row, int64_t bytes);

  // Rows.cpp: which rows a work item has, and which blocks.
  void emitWork(tile::WorkOp op);
  void emitRows(tile::RowsOp op);
  void emitNaturalRows(tile::RowsOp op, const RowTable &rows);
  void emitTableRows(tile::RowsOp op, const RowTable &rows);
  void emitLatticeRows(tile::RowsOp op, const RowTable &rows);
  void emitRowsBy(tile::RowsByOp op);
  void emitRowsAt(tile::RowsAtOp op);
  void storePosition(const RowTable &rows, llvm::Value *row, llvm::Value *position);
  llvm::Value *onStack(int integers);
  void emitBlocks(tile::BlocksOp op);
  void tableBounds(tile::BlocksOp op, const BlockList &list);
  void formBounds(tile::BlocksOp op, const BlockList &list, llvm::Value *forms);
  std::pair<llvm::Value *, llvm::Value *> blockBounds(Value blocks);
  llvm::Value *endOfPartial(Value blocks);
  llvm::Value *blockColumn(Value blocks, llvm::Value *index);

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
  llvm::Value *arithmetic(Operation *op, llvm::ArrayRef<llvm::Value *> operands);
  llvm::Value *floatArithmetic(Operation *op, llvm::ArrayRef<llvm::Value *> operands);
  llvm::Value *divide(Operation *op, llvm::Value *a, llvm::Value *b);
  llvm::Value *convert(Operation *op, llvm::Value *from);
  llvm::Value *constant(mlir::TypedAttr value);
  llvm::Type *registerType(mlir::Type element);
  llvm::Type *memoryType(mlir::Type element);

  // Memory.cpp: scratch, views and stores. Loads.cpp.
  llvm::Value *allocate(int64_t bytes);
  Storage &begin(int place);
  Storage &bind(int place, llvm::Value *base);
  void fillWithZeros(const Storage &to);
  const Storage &memory(int place) const { return memories[place]; }
  /// Of the value; null where it is in registers.
  const Storage *memoryOf(Value value) const;
  const Storage &operand(Operation *op, Value value);
  /// Of a panel, or of the `panel`-th `width` lanes.
  llvm::Value *lanesPointer(const Storage &storage, llvm::Value *panel, llvm::Value *row,
                            int width = 0);
  llvm::Value *elementPointer(const Storage &storage, llvm::Value *i, llvm::Value *j);
  LaneVectors loadLanes(const Storage &storage, const Cell &cell);
  void storeLanes(const Storage &storage, const Cell &cell, const LaneVectors &lanes);
  void copyTile(const Storage &to, Value value, const Storage *from = nullptr);
  void copyInto(const Storage &to, Value value);
  Stretch stretchOf(const RowTable &rows);
  Stretch columnsOf(Value columns, int64_t size);
  using AtLanes = llvm::function_ref<void(llvm::Value *at, llvm::Value *mask)>;
  void overStretch(const Stretch &stretch, int width, AtLanes body);
  llvm::Value *maskOf(const Stretch &stretch, llvm::Value *at, int width);
  llvm::Value *loadMasked(llvm::Type *type, llvm::Value *pointer, llvm::Value *mask);
  void padRows(const View &view, llvm::Value *pointers, int64_t rows, const Stretch &columns);
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
  llvm::Value *rowPointers(const View &view, mlir::ValueRange indices, Value rows,
                           llvm::Value *missing, llvm::Value *firstColumn = nullptr);
  llvm::Value *rowPointer(const View &view, llvm::ArrayRef<llvm::Value *> indices,
                          const RowTable &rows, llvm::Value *row, llvm::Value *position);
  llvm::Type *inMemory(mlir::Type element);
  llvm::Value *fromMemory(llvm::Value *bits, mlir::Type element);
  llvm::Value *toMemory(llvm::Value *value, mlir::Type element);
  llvm::Value *zeros();

  const Plan &plan;
  tile::KernelOp kernel;
  Signature takes;
  llvm::Module &module;
  Code code;
  const Dataflow &flow;
  const Dimensions &dims;
  llvm::Function *function = nullptr;
  llvm::Value *arguments = nullptr, *scratch = nullptr, *sink = nullptr;
  int64_t allocated = 0;
  struct {
    llvm::Value *begin = nullptr, *end = nullptr; ///< lanes
    llvm::Value *row = nullptr;                   ///< x without its slice
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
  llvm::DenseMap<Value, llvm::Value *> scalars;
  llvm::DenseMap<Value, View> views;
  std::vector<Storage> memories; ///< by number of their places
  llvm::DenseMap<Value, RowTable> rowTables;
  llvm::DenseMap<Value, BlockList> blockLists;
  llvm::DenseMap<Operation *, StorePlace> storePlaces;
};

} // namespace sparsec::cpu
