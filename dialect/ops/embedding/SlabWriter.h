// What the kernels of embeddings share. Matrices are seen in slabs of columns, as
// [sequence, slab, rows]: an index less to work out, and whole tiles of columns where slabs divide
// them.
#pragma once

#include "dialect/ops/KernelWriter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace sparsec::ops {

class SlabWriter : protected KernelWriter {
protected:
  using Value = mlir::Value;
  SlabWriter(mlir::Location place, mlir::OpBuilder &builder, int64_t width, int64_t slab)
      : KernelWriter(place, builder), width(width), slab(slab) {}

  bool isRagged() const { return width % slab != 0; }
  void addSlabs(llvm::StringRef name, mlir::Type element) { addArgument(name, b.view(element, 3)); }
  void addIntegers(llvm::ArrayRef<llvm::StringRef> names) {
    for (llvm::StringRef name : names)
      addArgument(name, b.getI32Type());
  }
  Value rowsOf(Value tile, Value length, int64_t size) {
    return b.rows(tile::OrderKind::Natural, tile, length, Value(), size);
  }
  /// Of slab `number`, before any access.
  void enterSlab(Value number) {
    ofSlab = isRagged() ? b.i32(0) : number;
    columns = isRagged() ? b.rows(tile::OrderKind::Natural, number, b.i32(width), Value(), slab)
                         : Value();
  }
  Value loadSlab(llvm::StringRef name, Value sequence, Value rows) {
    mlir::Type element = mlir::cast<tile::ViewType>(argument(name).getType()).getElementType();
    int64_t size = mlir::cast<tile::RowsType>(rows.getType()).getSize();
    return b.create<tile::LoadOp>(b.tensor({size, slab}, element), argument(name),
                                  mlir::ValueRange{sequence, ofSlab}, rows, columns);
  }
  void storeSlab(Value tile, llvm::StringRef name, Value sequence, Value rows) {
    b.create<tile::StoreOp>(tile, argument(name), mlir::ValueRange{sequence, ofSlab}, rows,
                            columns);
  }
  Value divide(Value x, Value y) { return b.create<mlir::arith::DivUIOp>(x, y); }
  Value remainder(Value x, Value y) { return b.create<mlir::arith::RemUIOp>(x, y); }
  /// `sum`, and of each row of it the rows of `tile` whose `index` is that of the row.
  Value addRowsOf(Value ofRow, Value index, Value tile, Value sum) {
    auto type = mlir::cast<mlir::RankedTensorType>(ofRow.getType());
    Value same = b.create<mlir::arith::CmpIOp>(mlir::arith::CmpIPredicate::eq, ofRow,
                                               b.acrossRows(index, type.getDimSize(0)));
    mlir::RankedTensorType floats = type.clone(b.getF32Type());
    Value hot = b.select(same, b.constant(floats, 1), b.constant(floats, 0));
    mlir::Type element = mlir::cast<mlir::RankedTensorType>(tile.getType()).getElementType();
    return b.create<tile::DotOp>(sum.getType(), b.convert(hot, element), tile, sum,
                                 /*lhs_t=*/false, /*rhs_t=*/false);
  }

  int64_t width, slab;

private:
  Value ofSlab, columns;
};

} // namespace sparsec::ops
