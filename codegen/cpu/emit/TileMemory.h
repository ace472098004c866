// Tiles in memory: places (plan/Place.h) while a kernel runs, and how their lanes and elements are
// read and written.
#pragma once

#include "codegen/cpu/emit/Frame.h"

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

class TileMemory {
public:
  explicit TileMemory(Frame &frame)
      : frame(frame), code(frame.code), memories(frame.plan.places.size()) {}

  /// The memory of a place begins to be used.
  Storage &begin(int place);
  /// A place is where something lies already.
  Storage &bind(int place, llvm::Value *base);
  const Storage &at(int place) const { return memories[place]; }
  /// Of the value; null where it is in registers.
  const Storage *of(mlir::Value value) const;

  /// Of a panel, or of the `panel`-th `width` lanes.
  llvm::Value *lanesPointer(const Storage &storage, llvm::Value *panel, llvm::Value *row,
                            int width = 0);
  /// Of element (i, j); j is null for a vector.
  llvm::Value *elementPointer(const Storage &storage, llvm::Value *i, llvm::Value *j);
  LaneVectors loadLanes(const Storage &storage, const Cell &cell);
  void storeLanes(const Storage &storage, const Cell &cell, const LaneVectors &lanes);

private:
  void fillWithZeros(const Storage &to);

  Frame &frame;
  Code &code;
  std::vector<Storage> memories; ///< by number of their places
};

} // namespace sparsec::cpu
