// Which rows a work item has, in any token order (layout/OrderNumbers.h), and which blocks are live
// in its row, from tables or a closed form (layout/ClosedForm.h).
#pragma once

#include "codegen/cpu/emit/TileMemory.h"

namespace sparsec::cpu {

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

class Positions {
public:
  explicit Positions(Frame &frame) : frame(frame), code(frame.code), flow(frame.plan.flow) {}

  void emitWork(tile::WorkOp op);
  void emitRows(tile::RowsOp op);
  void emitRowsBy(tile::RowsByOp op);
  void emitRowsAt(tile::RowsAtOp op, const Storage &from, TileMemory &tiles);
  void emitBlocks(tile::BlocksOp op);

  const RowTable &of(mlir::Value rows) const { return rowTables.find(flow.resolve(rows))->second; }
  /// Of rows that follow one by one: those that exist.
  Stretch stretchOf(const RowTable &rows);
  /// The columns of a load or store, which follow one by one; all of `size` where none are named.
  Stretch columnsOf(mlir::Value columns, int64_t size);
  /// Where a list of blocks begins and ends, as indices for blockColumn().
  std::pair<llvm::Value *, llvm::Value *> blockBounds(mlir::Value blocks);
  /// Where the partial ones of a list of all blocks end.
  llvm::Value *endOfPartial(mlir::Value blocks);
  llvm::Value *blockColumn(mlir::Value blocks, llvm::Value *index);

  llvm::Value *sliceRow = nullptr; ///< x without its slice, if the kernel has slices

private:
  using Value = mlir::Value;
  void emitNaturalRows(tile::RowsOp op, const RowTable &rows);
  void emitTableRows(tile::RowsOp op, const RowTable &rows);
  void emitLatticeRows(tile::RowsOp op, const RowTable &rows);
  void storePosition(const RowTable &rows, llvm::Value *row, llvm::Value *position);
  void tableBounds(tile::BlocksOp op, const BlockList &list);
  void sliceBounds(tile::BlocksOp op, const BlockList &list);
  void formBounds(tile::BlocksOp op, const BlockList &list, llvm::Value *forms);

  Frame &frame;
  Code &code;
  const Dataflow &flow;
  llvm::DenseMap<Value, RowTable> rowTables;
  llvm::DenseMap<Value, BlockList> blockLists;
};

} // namespace sparsec::cpu
