// What the kernels of dense layers and of block-sparse ones share: axes and their tiles, matrices
// by name, items, epilogues, the gradient of a bias.
#pragma once

#include "dialect/Ops.h"
#include "dialect/Schedule.h"
#include "dialect/ops/KernelWriter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace sparsec::ops {

class ProductWriter : protected KernelWriter {
protected:
  using Value = mlir::Value;
  using Values = llvm::SmallVector<Value>;
  enum Axis { Tokens, Out, In };
  static constexpr llvm::StringRef kNames[] = {"tokens", "out", "in"};

  ProductWriter(mlir::Location place, mlir::OpBuilder &builder, mlir::Type dtype, int64_t tokens,
                int64_t out, int64_t in, int64_t stages)
      : KernelWriter(place, builder), dtype(dtype), size{tokens, out, in}, stages(stages) {}

  void addMatrices(llvm::ArrayRef<llvm::StringRef> names, mlir::Type element) {
    for (llvm::StringRef name : names)
      addArgument(name, b.view(element, 1));
  }
  /// The kernel over a range of items; adds the sizes and the numbers named.
  template <class Body>
  void writeItems(const llvm::Twine &symbol, llvm::ArrayRef<llvm::StringRef> numbers, Body &&body) {
    for (llvm::StringRef name : kNames)
      addArgument(name, b.getI32Type());
    for (llvm::StringRef name : numbers)
      addArgument(name, b.getI32Type());
    addArgument("items", b.getI32Type());
    tile::KernelOp kernel = write(symbol.str(), [&] {
      item = b.create<tile::WorkOp>(tile::WorkKind::Range, argument("items")).getResult(0);
      body();
    });
    kernel->setAttr(tile::kStagesAttr, b.getI64IntegerAttr(stages));
  }

  /// Tile `index` of an axis, of which `length` rows exist, else all that the axis has.
  Value rowsOf(Axis axis, Value index, Value length = Value()) {
    return b.rows(tile::OrderKind::Natural, index, length ? length : argument(kNames[axis]),
                  Value(), size[axis]);
  }
  Value loadTile(llvm::StringRef name, Value rows, Value columns) {
    return b.load(argument(name), {}, rows, columns);
  }
  /// In the element type of the matrix.
  void storeTile(Value tile, llvm::StringRef name, Value rows, Value columns) {
    auto type = mlir::cast<tile::ViewType>(argument(name).getType()).getElementType();
    b.store(b.convert(tile, type), argument(name), {}, rows, columns);
  }
  Value plus(Value a, Value by) { return b.create<mlir::arith::AddIOp>(a, by); }
  Value minus(Value a, Value by) { return b.create<mlir::arith::SubIOp>(a, by); }
  Value times(Value a, Value by) { return b.create<mlir::arith::MulIOp>(a, by); }
  Value divide(Value a, Value by) { return b.create<mlir::arith::DivUIOp>(a, by); }
  Value remainder(Value a, Value by) { return b.create<mlir::arith::RemUIOp>(a, by); }
  Value least(Value a, Value by) { return b.create<mlir::arith::MinSIOp>(a, by); }
  Value ones(Value like) {
    return b.constant(mlir::cast<mlir::RankedTensorType>(like.getType()), 1);
  }

  /// Of u, a tile of tokens and outputs: what stands around the product (`op` says what), and y.
  template <class Op>
  void addEpilogue(Op op);
  template <class Op>
  void finish(Op op, Value u, Value rows, Value columns);
  /// dx through GELU, at u.
  Value throughGelu(Value dx, Value rows, Value columns);
  Value gate(Value u); ///< sigmoid(1.702 u)

  /// The kernels `_bias` and `_bias_sum`: column sums of dy over ranges of tokens, and of those.
  void biasGradient(llvm::StringRef symbol);

  mlir::Type dtype;
  int64_t size[3]; ///< of a tile, by axis
  int64_t stages;  ///< chunks that are fetched at once
  Value item;      ///< of this kernel

private:
  void biasOfRange(llvm::StringRef symbol);
  void sumOfBiases(llvm::StringRef symbol);
};

template <class Op>
void ProductWriter::addEpilogue(Op op) {
  mlir::Type stream = op.getResidual() ? op.getStream() : dtype;
  if (op.getBias())
    addArgument("bias", b.view(b.getF32Type(), 0));
  if (op.getResidual())
    addMatrices({"residual"}, stream);
  if (op.getSave())
    addMatrices({"u"}, dtype);
  addMatrices({"y"}, stream);
}

template <class Op>
void ProductWriter::finish(Op op, Value u, Value rows, Value columns) {
  Value y = u;
  if (op.getBias())
    y = b.add(y, b.acrossRows(b.load(argument("bias"), {}, columns), size[Tokens]));
  if (op.getSave())
    storeTile(y, "u", rows, columns);
  if (op.getGelu())
    y = b.multiply(y, gate(y));
  if (op.getResidual())
    y = b.add(y, b.widen(loadTile("residual", rows, columns)));
  storeTile(y, "y", rows, columns);
}

} // namespace sparsec::ops
