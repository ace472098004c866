#include "dialect/TileBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace sparsec::tile {

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

Type elementType(MLIRContext *context, DType type) {
  switch (type) {
  case DType::F16:
    return Float16Type::get(context);
  case DType::BF16:
    return BFloat16Type::get(context);
  case DType::F32:
    return Float32Type::get(context);
  }
  return {};
}

RankedTensorType TileBuilder::tensor(ArrayRef<int64_t> shape, Type element) {
  return RankedTensorType::get(shape, element);
}
ViewType TileBuilder::view(Type element, int64_t strides) {
  return ViewType::get(getContext(), element, strides);
}

Value TileBuilder::constant(float value) {
  return create<arith::ConstantOp>(getF32FloatAttr(value));
}
Value TileBuilder::constant(RankedTensorType type, float value) {
  return create<arith::ConstantOp>(DenseElementsAttr::get(type, value));
}
Value TileBuilder::splat(Value scalar, ArrayRef<int64_t> shape) {
  return create<SplatOp>(tensor(shape, scalar.getType()), scalar);
}

Value TileBuilder::rows(OrderKind order, Value index, Value length, Value numbers, int64_t size) {
  auto type = RowsType::get(getContext(), size, /*heads=*/1, order);
  return create<RowsOp>(type, OrderAttr::get(getContext(), order), index, length, numbers);
}
Value TileBuilder::positions(Value rows) {
  int64_t size = cast<RowsType>(rows.getType()).getSize();
  return create<PositionsOp>(tensor({size}, getI32Type()), rows);
}
Value TileBuilder::load(Value view, ValueRange indices, Value rows, int64_t columns) {
  int64_t size = cast<RowsType>(rows.getType()).getSize();
  Type element = cast<ViewType>(view.getType()).getElementType();
  return create<LoadOp>(tensor({size, columns}, element), view, indices, rows, Value());
}
Value TileBuilder::load(Value view, ValueRange indices, Value rows) {
  int64_t size = cast<RowsType>(rows.getType()).getSize();
  Type element = cast<ViewType>(view.getType()).getElementType();
  return create<LoadOp>(tensor({size}, element), view, indices, rows, Value());
}
void TileBuilder::store(Value tile, Value view, ValueRange indices, Value rows) {
  create<StoreOp>(tile, view, indices, rows, Value());
}
Value TileBuilder::load(Value view, ValueRange indices, Value rows, Value columns) {
  auto size = [](Value axis) { return cast<RowsType>(axis.getType()).getSize(); };
  Type element = cast<ViewType>(view.getType()).getElementType();
  return create<LoadOp>(tensor({size(rows), size(columns)}, element), view, indices, rows, columns);
}
void TileBuilder::store(Value tile, Value view, ValueRange indices, Value rows, Value columns,
                        Reuse reuse) {
  create<StoreOp>(tile, view, indices, rows, columns, reuse == Reuse::Streaming);
}

Value TileBuilder::i32(int64_t value) {
  return create<arith::ConstantOp>(getI32IntegerAttr(static_cast<int32_t>(value)));
}
Value TileBuilder::rowsAt(Value positions) {
  int64_t size = typeOf(positions).getDimSize(0);
  auto type = RowsType::get(getContext(), size, /*heads=*/1, OrderKind::Gathered);
  return create<RowsAtOp>(type, positions, i32(size));
}
Value TileBuilder::scalar(Value view, int64_t index) {
  Type element = cast<ViewType>(view.getType()).getElementType();
  return create<ScalarOp>(element, view, i32(index));
}
void TileBuilder::storeScalar(Value value, Value view, int64_t index) {
  create<StoreScalarOp>(value, view, i32(index));
}
Value TileBuilder::random(Value seed, Value rowPositions, Value columnPositions) {
  SmallVector<int64_t> shape = {typeOf(rowPositions).getDimSize(0)};
  if (columnPositions)
    shape.push_back(typeOf(columnPositions).getDimSize(0));
  return create<RandomOp>(tensor(shape, getI32Type()), seed, rowPositions, columnPositions);
}
Value TileBuilder::uniform(Value bits) {
  RankedTensorType type = typeOf(bits), floats = type.clone(getF32Type());
  Value eight = create<arith::ConstantOp>(DenseElementsAttr::get(type, int32_t(8)));
  Value high = create<arith::ShRUIOp>(bits, eight); // 24 bits: not negative
  return multiply(create<arith::SIToFPOp>(floats, high), constant(floats, 0x1p-24f));
}

Value TileBuilder::matching(Value b, Value a) {
  if (b.getType() == a.getType())
    return b;
  RankedTensorType type = typeOf(b).clone(typeOf(a).getShape());
  return create<ExpandOp>(type, b, /*dim=*/1);
}
Value TileBuilder::add(Value a, Value b) {
  return create<arith::AddFOp>(a, matching(b, a));
}
Value TileBuilder::subtract(Value a, Value b) {
  return create<arith::SubFOp>(a, matching(b, a));
}
Value TileBuilder::multiply(Value a, Value b) {
  return create<arith::MulFOp>(a, matching(b, a));
}
Value TileBuilder::max(Value a, Value b) {
  return create<arith::MaximumFOp>(a, matching(b, a));
}
Value TileBuilder::exp2(Value a) {
  return create<math::Exp2Op>(a);
}
Value TileBuilder::convert(Value a, Type element) {
  if (typeOf(a).getElementType() == element)
    return a;
  return create<arith::TruncFOp>(typeOf(a).clone(element), a);
}
Value TileBuilder::widen(Value a) {
  if (typeOf(a).getElementType().isF32())
    return a;
  return create<arith::ExtFOp>(typeOf(a).clone(getF32Type()), a);
}
Value TileBuilder::expand(Value a, RankedTensorType to) {
  return create<ExpandOp>(to, a, /*dim=*/1);
}
Value TileBuilder::acrossRows(Value a, int64_t rows) {
  RankedTensorType type = typeOf(a);
  return create<ExpandOp>(tensor({rows, type.getDimSize(0)}, type.getElementType()), a, /*dim=*/0);
}
Value TileBuilder::equal(Value a, Value b) {
  return create<arith::CmpFOp>(arith::CmpFPredicate::OEQ, a, b);
}
Value TileBuilder::select(Value condition, Value a, Value b) {
  return create<arith::SelectOp>(condition, a, b);
}
Value TileBuilder::reduceRows(ReduceKind kind, Value matrix) {
  RankedTensorType type = tensor({typeOf(matrix).getDimSize(0)}, typeOf(matrix).getElementType());
  return create<ReduceOp>(type, kind, matrix, /*dim=*/1);
}
Value TileBuilder::reduceColumns(ReduceKind kind, Value matrix) {
  RankedTensorType type = tensor({typeOf(matrix).getDimSize(1)}, typeOf(matrix).getElementType());
  return create<ReduceOp>(type, kind, matrix, /*dim=*/0);
}

} // namespace sparsec::tile
