// What the kernels of row operations share: an item is a tile of rows, which map, reduce each row,
// and map again. A row of more columns than a tile has is folded tile by tile, once for each
// reduction that needs the last one's result:
//
//   rows of a tile     one tile of columns           several
//   x x x x x x x x    sum, then y from the tile     fold: sum          fold: y
//   x x x x x x x x    that is loaded already        | x x x | x x x |  | x x x | x x x |
//
// Both are written by the same calls: without a fold the regions follow each other, and a tile that
// is loaded twice is loaded once. The width of a row is compiled in, so that only where tiles do
// not divide it columns have to be masked.
#pragma once

#include "dialect/Ops.h"
#include "dialect/ops/KernelWriter.h"
#include "kernel/ops/RowTile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace sparsec::ops {

class RowWriter : protected KernelWriter {
protected:
  using Value = mlir::Value;
  using Values = llvm::SmallVector<Value>;
  /// A vector along columns is a view without strides, one number a row too.
  enum class Optional : uint8_t { No, Yes };

  RowWriter(mlir::Location place, mlir::OpBuilder &builder, RowTile tile, int64_t width)
      : KernelWriter(place, builder), tile(tile), width(width),
        perRow(b.tensor({tile.rows}, b.getF32Type())),
        perColumn(b.tensor({tile.columns}, b.getF32Type())),
        ofTile(b.tensor({tile.rows, tile.columns}, b.getF32Type())) {}

  // Arguments.
  void addMatrix(llvm::StringRef name, mlir::Type element, Optional optional = Optional::No) {
    addArgument(name, b.view(element, 1), optional == Optional::Yes);
  }
  void addVector(llvm::StringRef name, mlir::Type element, Optional optional = Optional::No) {
    addArgument(name, b.view(element, 0), optional == Optional::Yes);
  }
  void addNumbers(llvm::ArrayRef<llvm::StringRef> integers, llvm::ArrayRef<llvm::StringRef> reals);

  /// A kernel over tiles of `rows` rows; arguments `items` and `rows` are added to it.
  template <class Body>
  void writeRows(llvm::StringRef symbol, Body &&body) {
    addNumbers({"items", "rows"}, {});
    write(symbol, [&] {
      item = b.create<tile::WorkOp>(tile::WorkKind::Range, argument("items")).getResult(0);
      rows = rowsWithin(argument("rows"));
      loaded.clear();
      body();
    });
  }

  // In a kernel.
  /// This item's tile of rows, those below `length` of them: rows that do not exist are read as 0.
  Value rowsWithin(Value length) {
    return b.rows(tile::OrderKind::Natural, item, length, Value(), tile.rows);
  }
  /// A tile of a matrix, in f32.
  Value loadMatrix(llvm::StringRef name, Value ofRows, Value columns);
  /// Of this item's rows; once, where there is one tile of columns.
  Value loadTile(llvm::StringRef name, Value columns) { return loadTile(name, rows, columns); }
  Value loadTile(llvm::StringRef name, Value ofRows, Value columns);
  /// Columns of a vector, in each row of a tile.
  Value loadAcross(llvm::StringRef name, Value columns);
  Value loadPerRow(llvm::StringRef name) { return b.load(argument(name), {}, rows); }
  void storeTile(Value value, llvm::StringRef name, Value columns);
  void storePerRow(Value value, llvm::StringRef name) { b.store(value, argument(name), {}, rows); }
  /// The tile where columns exist, else `other`.
  Value whereColumns(Value columns, Value value, float other);
  Value sumOfRows(Value matrix) { return b.reduceRows(tile::ReduceKind::Sum, matrix); }

  /// Over the tiles of columns in order. `step` takes their columns, what `fetch` loads and the
  /// carries, and gives the next carries.
  using Fetch = llvm::function_ref<Values(Value columns)>;
  using Step =
      llvm::function_ref<Values(Value columns, mlir::ValueRange fetched, mlir::ValueRange carried)>;
  Values foldColumns(mlir::ValueRange init, Fetch fetch, Step step);
  /// The same without carries.
  void forColumns(Fetch fetch, llvm::function_ref<void(Value columns, mlir::ValueRange)> step);

  bool isOneTile() const { return width <= tile.columns; }

  RowTile tile;
  int64_t width;
  mlir::RankedTensorType perRow, perColumn, ofTile; ///< of f32
  Value item, rows;                                 ///< of this work item

private:
  llvm::StringMap<Value> loaded; ///< of the only tile of columns
};

} // namespace sparsec::ops
