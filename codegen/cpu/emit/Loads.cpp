// Loads: rows in place, copied together, transposed, or element by element.
#include "codegen/cpu/emit/Arithmetic.h"
#include "codegen/cpu/emit/Emitter.h"
#include "codegen/cpu/emit/ProductEmission.h"

using namespace mlir;

namespace sparsec::cpu {

void KernelEmitter::emitLoad(tile::LoadOp load) {
  const Load &planned = plan.loads.find(load)->second;
  if (load.getType().getRank() == 1) {
    loadVector(load);
    return;
  }
  if (planned.way == Load::Elements) {
    loadElements(load, tiles.begin(planned.place));
    return;
  }
  RankedTensorType type = load.getType();
  const View &view = views.of(load.getView());
  Stretch columns = positions.columnsOf(load.getColumns(), type.getDimSize(1));
  llvm::Value *pointers =
      views.rowPointers(view, load.getIndices(), load.getRows(), frame.zeros(), columns.first);
  if (columns.live)
    views.padRows(view, pointers, type.getDimSize(0), columns);
  if (planned.way == Load::InPlace) {
    loadInPlace(load, pointers);
    return;
  }
  for (const Load::Operand &own : planned.operands)
    own.form->emission->load(*this, load, pointers, tiles.begin(own.place));
  if (planned.way == Load::Packed)
    return;
  Storage &made = tiles.begin(planned.place);
  made.next = nextBlock(load, pointers);
  if (planned.way == Load::AsRows)
    loadAsRows(load, made, pointers);
  else
    loadTransposed(view, type.getDimSize(1), made, pointers);
}

void KernelEmitter::loadInPlace(tile::LoadOp load, llvm::Value *pointers) {
  const Load &planned = plan.loads.find(load)->second;
  const View &view = views.of(load.getView());
  NextBlock next = nextBlock(load, pointers);
  Storage &made = tiles.bind(planned.place, pointers);
  made.next = next;
  if (planned.evenRows)
    made.rowBytes = code.CreateMul(view.strides.back(), code.i64(bytesOf(view.element)));
  if (planned.nextItem)
    made.toNextItem = code.CreateMul(made.rowBytes, code.i64(load.getType().getDimSize(0)));
}

void KernelEmitter::loadAsRows(tile::LoadOp load, const Storage &to, llvm::Value *pointers) {
  const View &view = views.of(load.getView());
  int64_t columns = load.getType().getDimSize(1), width = to.shape.vector;
  code.loop(code.i64(0), code.i64(load.getType().getDimSize(0)), 1, [&](llvm::Value *row) {
    llvm::Value *from =
        code.loadAs(code.getPtrTy(), code.at(pointers, code.CreateMul(row, code.i64(8))), 8);
    if (load.getColumns())
      prefetchRow(pointers, row, columns * bytesOf(view.element));
    for (int64_t column = 0; column < columns; column += width) {
      llvm::Value *bits = code.loadAs(code.vectorOf(view.element, int(width)),
                                      code.at(from, column * bytesOf(view.element)), 1);
      code.storeTo(fromMemory(code, bits, view.type),
                   tiles.lanesPointer(to, code.i64(column / width), row, int(width)));
    }
  });
}

/// Memory's rows become lanes: squares of a vector's size at a time, or smaller ones where the
/// columns do not fill them.
void KernelEmitter::loadTransposed(const View &view, int64_t columns, const Storage &to,
                                   llvm::Value *pointers) {
  int width = to.shape.vector;
  while (columns % width) // 8 pairs of a head dim of 16
    width /= 2;
  code.loop(code.i64(0), code.i64(to.shape.lanes / width), 1, [&](llvm::Value *group) {
    SmallVector<llvm::Value *> from;
    llvm::Value *first = code.at(pointers, code.CreateMul(group, code.i64(8 * width)));
    for (int lane = 0; lane < width; ++lane)
      from.push_back(code.loadAs(code.getPtrTy(), code.at(first, 8 * lane), 8));
    code.loop(code.i64(0), code.i64(columns), width, [&](llvm::Value *column) {
      SmallVector<llvm::Value *> square;
      llvm::Value *skip = code.CreateMul(column, code.i64(bytesOf(view.element)));
      for (llvm::Value *row : from)
        square.push_back(
            fromMemory(code, code.loadAs(code.vectorOf(view.element, width), code.at(row, skip), 1),
                       view.type));
      llvm::Value *into = tiles.lanesPointer(to, group, column, width);
      for (auto [i, vector] : llvm::enumerate(code.transpose(square)))
        code.storeTo(vector, code.at(into, int64_t(i) * to.rowStride() * bytesOf(to.type)));
    });
  });
}

/// Element by element: columns that are rows of another axis, and tiles of odd width.
void KernelEmitter::loadElements(tile::LoadOp load, const Storage &to) {
  const View &view = views.of(load.getView());
  llvm::Value *pointers = views.rowPointers(view, load.getIndices(), load.getRows(),
                                            llvm::ConstantPointerNull::get(code.getPtrTy()));
  const RowTable *columns = load.getColumns() ? &positions.of(load.getColumns()) : nullptr;
  code.loop(code.i64(0), code.i64(load.getType().getDimSize(0)), 1, [&](llvm::Value *i) {
    llvm::Value *row =
        code.loadAs(code.getPtrTy(), code.at(pointers, code.CreateMul(i, code.i64(8))), 8);
    code.loop(code.i64(0), code.i64(load.getType().getDimSize(1)), 1, [&](llvm::Value *j) {
      llvm::Value *exists = code.CreateIsNotNull(row), *column = j;
      if (columns) {
        llvm::Value *position = code.loadAs(
            code.getInt32Ty(), code.at(columns->positions, code.CreateMul(j, code.i64(4))));
        exists = code.CreateAnd(exists, code.CreateICmpULT(position, columns->length));
        column = code.CreateZExt(position, code.getInt64Ty());
      }
      llvm::Value *from = code.at(row, code.CreateMul(column, code.i64(bytesOf(view.element))));
      llvm::Value *bits =
          code.loadAs(view.element, code.CreateSelect(exists, from, frame.zeros()), 1);
      code.storeTo(fromMemory(code, bits, view.type), tiles.elementPointer(to, i, j), 1);
    });
  });
}

void KernelEmitter::loadVector(tile::LoadOp load) {
  const View &view = views.of(load.getView());
  const Load &planned = plan.loads.find(load)->second;
  const Storage &made = tiles.begin(planned.place);
  const RowTable &rows = positions.of(load.getRows());
  if (planned.way == Load::SideBySide) {
    SmallVector<llvm::Value *> indices;
    for (Value index : load.getIndices())
      indices.push_back(frame.scalar(index));
    loadStretch(view, views.rowPointer(view, indices, rows, code.i64(0), rows.first),
                positions.stretchOf(rows), made);
    return;
  }
  llvm::Value *pointers = views.rowPointers(view, load.getIndices(), load.getRows(), frame.zeros());
  code.loop(code.i64(0), code.i64(made.shape.lanes), 1, [&](llvm::Value *row) {
    llvm::Value *from =
        code.loadAs(code.getPtrTy(), code.at(pointers, code.CreateMul(row, code.i64(8))), 8);
    llvm::Value *bits = code.loadAs(view.element, from, 1);
    code.storeTo(fromMemory(code, bits, view.type), tiles.elementPointer(made, row, nullptr), 1);
  });
}

/// Elements side by side, zeros behind.
void KernelEmitter::loadStretch(const View &view, llvm::Value *from, const Stretch &stretch,
                                const Storage &to) {
  int width = to.shape.vector;
  llvm::Type *type = code.vectorOf(view.element, width);
  auto put = [&](llvm::Value *value, llvm::Value *at) {
    code.storeTo(value, tiles.elementPointer(to, at, nullptr), 4);
  };
  views.overStretch(stretch, width, [&](llvm::Value *at, llvm::Value *mask) {
    llvm::Value *place = code.at(from, code.CreateMul(at, code.i64(bytesOf(view.element))));
    put(fromMemory(code, views.loadMasked(type, place, mask), view.type), at);
  });
  llvm::Value *end = code.CreateAdd(stretch.live, code.i64(width - 1));
  llvm::Type *floats = code.vectorOf(to.type, width);
  code.loop(code.CreateAnd(end, code.i64(-width)), code.i64(stretch.size), width,
            [&](llvm::Value *at) { put(llvm::Constant::getNullValue(floats), at); });
}

} // namespace sparsec::cpu
