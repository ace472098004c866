// Verifiers of the ops without regions: shapes, element types and dimensions.
#include "dialect/Tile.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace sparsec::tile {

using Shape = SmallVector<int64_t>;

/// 64x64
static std::string text(ArrayRef<int64_t> shape) {
  std::string result;
  for (int64_t size : shape)
    result += (result.empty() ? "" : "x") + std::to_string(size);
  return result;
}

/// Refuses a value of another shape than the op's other values ask for.
static LogicalResult expectShape(Operation *op, StringRef what, Type type,
                                 ArrayRef<int64_t> shape) {
  ArrayRef<int64_t> found = cast<RankedTensorType>(type).getShape();
  if (found == shape)
    return success();
  return op->emitOpError() << "expected " << what << " of shape " << text(shape) << ", found "
                           << text(found);
}

static LogicalResult expectElement(Operation *op, StringRef what, Type type, Type element) {
  Type found = cast<RankedTensorType>(type).getElementType();
  if (found == element)
    return success();
  return op->emitOpError() << "expected " << what << " of " << element << ", found " << found;
}

static LogicalResult expectDim(Operation *op, int64_t dim, int64_t rank) {
  if (dim >= 0 && dim < rank)
    return success();
  return op->emitOpError() << "expected dim below " << rank << ", found " << dim;
}

static ArrayRef<int64_t> shapeOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape();
}
static Type elementOf(Value value) {
  return getElementTypeOrSelf(value.getType());
}

//===-- Work, rows, positions -----------------------------------------------------------------===//

static int64_t workIndices(WorkKind kind) {
  switch (kind) {
  case WorkKind::Rows:
    return 4;
  case WorkKind::Blocks:
    return 5;
  case WorkKind::Range:
    return 1;
  case WorkKind::Groups:
    return 3;
  }
  llvm_unreachable("all kinds are listed");
}

LogicalResult WorkOp::inferReturnTypes(MLIRContext *context, std::optional<Location> location,
                                       Adaptor adaptor, SmallVectorImpl<Type> &types) {
  types.assign(workIndices(adaptor.getKind()), IntegerType::get(context, 32));
  return success();
}

LogicalResult WorkOp::verify() {
  bool range = getKind() == WorkKind::Range;
  if (isa<LayoutType>(getItems().getType()) != range)
    return success();
  return emitOpError() << "'" << stringifyWorkKind(getKind()) << "' expects "
                       << (range ? "a count (i32)" : "a layout") << ", found "
                       << getItems().getType();
}

LogicalResult RowsOp::verify() {
  OrderKind kind = getOrder().getKind();
  if (kind != getRows().getType().getOrder())
    return emitOpError() << "expected rows by '" << stringifyOrderKind(kind) << "', found "
                         << getRows().getType();
  if (kind == OrderKind::Gathered)
    return emitOpError("rows at gathered positions are made by 'tile.rows_at'");
  if ((kind != OrderKind::Natural) != bool(getNumbers()))
    return emitOpError() << "order '" << stringifyOrderKind(kind) << "' "
                         << (getNumbers() ? "has no numbers" : "needs its numbers");
  return success();
}

LogicalResult RowsAtOp::verify() {
  if (getRows().getType().getOrder() != OrderKind::Gathered)
    return emitOpError() << "expected rows by 'gathered', found " << getRows().getType();
  return expectShape(*this, "positions", getPositions().getType(), {getRows().getType().getSize()});
}

LogicalResult PositionsOp::verify() {
  return expectShape(*this, "positions", getPositions().getType(), {getRows().getType().getSize()});
}

LogicalResult BlocksOp::verify() {
  if (getSlice().empty() || getSlice().size() == 2)
    return success();
  return emitOpError() << "expected a slice of two numbers, found " << getSlice().size();
}

//===-- Memory --------------------------------------------------------------------------------===//

/// What load, store and accumulate agree on: indices, and the shape of the tile.
template <class AccessOp>
static LogicalResult verifyAccess(AccessOp op, Type tile) {
  ViewType view = op.getView().getType();
  RowsType rows = op.getRows().getType();
  auto type = cast<RankedTensorType>(tile);
  // The last stride is that of the rows, unless the rows themselves are contiguous.
  auto indices = static_cast<int64_t>(op.getIndices().size());
  bool contiguous = type.getRank() == 1 && indices == view.getStrides();
  if (!contiguous && indices != view.getStrides() - 1) {
    indices = view.getStrides() - (type.getRank() == 2 ? 1 : 0);
    return op.emitOpError() << "expected " << indices
                            << " indices before the rows for a tile of rank " << type.getRank()
                            << " of " << view << ", found " << op.getIndices().size();
  }
  if (type.getDimSize(0) != rows.getSize())
    return op.emitOpError() << "expected a tile of " << rows.getSize() << " rows, found "
                            << type.getDimSize(0);
  if (rows.getHeads() != 1 && indices == 0)
    return op.emitOpError() << "rows of " << rows.getHeads() << " heads need an index of the head";
  if (op.getColumns()) {
    RowsType columns = op.getColumns().getType();
    if (type.getRank() != 2)
      return op.emitOpError() << "columns need a tile of rank 2";
    if (columns.getHeads() != 1)
      return op.emitOpError() << "columns cannot run over heads";
    if (type.getDimSize(1) != columns.getSize())
      return op.emitOpError() << "expected a tile of " << columns.getSize() << " columns, found "
                              << type.getDimSize(1);
  }
  Type element = view.getElementType();
  if (isa<LoadOp>(op) && element.isInteger() && element.getIntOrFloatBitWidth() < 32)
    element = IntegerType::get(op.getContext(), 32);
  return expectElement(op, "a tile", tile, element);
}

LogicalResult LoadOp::verify() {
  return verifyAccess(*this, getResult().getType());
}
LogicalResult StoreOp::verify() {
  return verifyAccess(*this, getValue().getType());
}
/// A number of a view without strides.
static LogicalResult verifyScalar(Operation *op, ViewType view, Type scalar) {
  if (view.getStrides() == 0 && view.getElementType() == scalar)
    return success();
  return op->emitOpError() << "expected " << ViewType::get(op->getContext(), scalar, 0)
                           << ", found " << view;
}
LogicalResult ScalarOp::verify() {
  return verifyScalar(*this, getView().getType(), getResult().getType());
}
LogicalResult StoreScalarOp::verify() {
  return verifyScalar(*this, getView().getType(), getValue().getType());
}
LogicalResult AccumulateOp::verify() {
  if (!elementOf(getValue()).isF32())
    return emitOpError() << "expected a tile of f32, found " << elementOf(getValue());
  return verifyAccess(*this, getValue().getType());
}

//===-- Tiles ---------------------------------------------------------------------------------===//

LogicalResult SplatOp::verify() {
  return expectElement(*this, "a result", getResult().getType(), getScalar().getType());
}

LogicalResult ExpandOp::verify() {
  ArrayRef<int64_t> shape = shapeOf(getResult());
  if (failed(expectDim(*this, getDim(), 2)))
    return failure();
  if (failed(expectShape(*this, "an input", getInput().getType(), {shape[1 - getDim()]})))
    return failure();
  return expectElement(*this, "a result", getResult().getType(), elementOf(getInput()));
}

LogicalResult TransposeOp::verify() {
  ArrayRef<int64_t> shape = shapeOf(getInput());
  if (failed(expectShape(*this, "a result", getResult().getType(), {shape[1], shape[0]})))
    return failure();
  return expectElement(*this, "a result", getResult().getType(), elementOf(getInput()));
}

LogicalResult ReduceOp::verify() {
  ArrayRef<int64_t> shape = shapeOf(getInput());
  if (failed(expectDim(*this, getDim(), shape.size())))
    return failure();
  if (elementOf(getResult()) != elementOf(getInput()))
    return emitOpError() << "expected a result of " << elementOf(getInput()) << ", found "
                         << elementOf(getResult());
  auto vector = dyn_cast<RankedTensorType>(getResult().getType());
  if (!vector != (shape.size() == 1))
    return emitOpError() << "expected "
                         << (vector ? "a scalar from a vector" : "a vector from a matrix")
                         << ", found " << getResult().getType();
  if (!vector)
    return success();
  return expectShape(*this, "a result", getResult().getType(), {shape[1 - getDim()]});
}

LogicalResult ScanOp::verify() {
  if (failed(expectDim(*this, getDim(), shapeOf(getInput()).size())) ||
      failed(expectShape(*this, "a result", getResult().getType(), shapeOf(getInput()))))
    return failure();
  return expectElement(*this, "a result", getResult().getType(), elementOf(getInput()));
}

LogicalResult DotOp::verify() {
  Type element = elementOf(getLhs());
  if (!element.isF16() && !element.isBF16() && !element.isF32())
    return emitOpError() << "expected operands of f16, bf16 or f32, found " << element;
  if (failed(expectElement(*this, "rhs", getRhs().getType(), element)))
    return failure();
  Shape lhs(shapeOf(getLhs())), rhs(shapeOf(getRhs()));
  if (getLhsT())
    std::swap(lhs[0], lhs[1]);
  if (getRhsT())
    std::swap(rhs[0], rhs[1]);
  if (lhs[1] != rhs[0])
    return emitOpError() << "sums over " << lhs[1] << " elements of lhs and " << rhs[0]
                         << " of rhs";
  if (getAcc() && getAcc().getType() != getResult().getType())
    return emitOpError() << "expected acc of the result's type " << getResult().getType()
                         << ", found " << getAcc().getType();
  return expectShape(*this, "a result", getResult().getType(), {lhs[0], rhs[1]});
}

//===-- Patterns, random numbers --------------------------------------------------------------===//

LogicalResult PredicateOp::verify() {
  int64_t q = shapeOf(getQ())[0], k = shapeOf(getK())[0];
  Shape shape = getKeysFirst() ? Shape{k, q} : Shape{q, k};
  return expectShape(*this, "a result", getResult().getType(), shape);
}

LogicalResult MaskOp::verify() {
  return expectShape(*this, "a mask", getAttend().getType(), shapeOf(getScores()));
}

LogicalResult RandomOp::verify() {
  Shape shape = {shapeOf(getRows())[0]};
  if (getColumns())
    shape.push_back(shapeOf(getColumns())[0]);
  return expectShape(*this, "a result", getResult().getType(), shape);
}

} // namespace sparsec::tile
