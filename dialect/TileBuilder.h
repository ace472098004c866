// Writes tile programs: an OpBuilder at one place whose operations have the names a kernel is
// thought in. Shapes follow from the operands.
#pragma once

#include "dialect/Tile.h"
#include "kernel/DType.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace sparsec::tile {

/// The type of elements in memory.
mlir::Type elementType(mlir::MLIRContext *context, DType type);

class TileBuilder : public mlir::ImplicitLocOpBuilder {
public:
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;
  using Value = mlir::Value;

  // Types.
  mlir::RankedTensorType tensor(llvm::ArrayRef<int64_t> shape, mlir::Type element);
  ViewType view(mlir::Type element, int64_t strides);

  // Values.
  Value constant(float value); ///< f32
  Value constant(mlir::RankedTensorType type, float value);
  Value splat(Value scalar, llvm::ArrayRef<int64_t> shape);
  /// The rows of tile `index` of an axis of `length` positions; `numbers` of the order, null for
  /// natural order.
  Value rows(OrderKind order, Value index, Value length, Value numbers, int64_t size);
  Value positions(Value rows);
  /// A tile of `columns` columns of view[indices..., rows].
  Value load(Value view, mlir::ValueRange indices, Value rows, int64_t columns);
  /// A tile of rank 1, of a view whose rows are contiguous.
  Value load(Value view, mlir::ValueRange indices, Value rows);
  void store(Value tile, Value view, mlir::ValueRange indices, Value rows);
  /// The same of view[indices..., rows, cols columns].
  Value load(Value view, mlir::ValueRange indices, Value rows, Value columns);
  enum class Reuse : uint8_t { Soon, Streaming };
  void store(Value tile, Value view, mlir::ValueRange indices, Value rows, Value columns,
             Reuse reuse = Reuse::Soon);
  Value i32(int64_t value);
  /// The rows at `positions`, all of which may exist.
  Value rowsAt(Value positions);
  /// Element `index` of a view without strides.
  Value scalar(Value view, int64_t index);
  void storeScalar(Value value, Value view, int64_t index);
  /// 32 bits for each row and column, or each row alone.
  Value random(Value seed, Value rowPositions, Value columnPositions = Value());
  Value uniform(Value bits); ///< in [0, 1), as kernel/Random.h's uniformOf()

  // Arithmetic. The second operand of an elementwise operation may be a vector beside a matrix: it
  // is repeated along the columns.
  Value add(Value a, Value b);
  Value subtract(Value a, Value b);
  Value multiply(Value a, Value b);
  Value exp2(Value a);
  Value convert(Value a, mlir::Type element); ///< rounds to a float type; itself when it has it
  Value widen(Value a);                       ///< to f32; itself when it is
  Value expand(Value a, mlir::RankedTensorType to); ///< a vector repeated along columns
  Value acrossRows(Value a, int64_t rows);          ///< a vector repeated in each of so many rows
  Value max(Value a, Value b);
  Value equal(Value a, Value b);
  Value select(Value condition, Value a, Value b);
  Value reduceRows(ReduceKind kind, Value matrix);    ///< over the columns of each row
  Value reduceColumns(ReduceKind kind, Value matrix); ///< over the rows of each column

private:
  Value matching(Value b, Value a);
};

} // namespace sparsec::tile
