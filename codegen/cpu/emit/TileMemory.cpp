#include "codegen/cpu/emit/TileMemory.h"

#include "codegen/cpu/emit/Arithmetic.h"

using namespace mlir;

namespace sparsec::cpu {

/// The memory of a place begins to be used.
Storage &TileMemory::begin(int number) {
  Storage &made = memories[number];
  static_cast<Place &>(made) = frame.plan.places[number];
  made.type = inMemory(code, made.element);
  if (made.isPointers())
    return made;
  made.base = frame.allocate(made.elements() * bytesOf(made.type));
  if (made.filled)
    fillWithZeros(made);
  return made;
}

/// A place is where something lies already.
Storage &TileMemory::bind(int number, llvm::Value *base) {
  Storage &made = memories[number];
  static_cast<Place &>(made) = frame.plan.places[number];
  made.type = inMemory(code, made.element);
  made.base = base;
  return made;
}

/// The rows that nothing is written to. Panels that share their memory are filled once.
void TileMemory::fillWithZeros(const Storage &to) {
  llvm::Type *vector = code.vectorOf(to.type, to.shape.vector);
  for (int64_t panel = 0; panel < (to.form == Form::OnePanel ? 1 : to.shape.panels()); ++panel)
    for (int64_t row = to.filled; row < to.rows; ++row)
      for (int part = 0; part < to.shape.parts(); ++part)
        code.storeTo(llvm::Constant::getNullValue(vector),
                     code.at(lanesPointer(to, code.i64(panel), code.i64(row)),
                             part * to.shape.vector * bytesOf(to.type)));
}

const Storage *TileMemory::of(Value value) const {
  int place = frame.plan.placeFor(frame.plan.flow.resolve(value));
  return place == kNowhere ? nullptr : &memories[place];
}

llvm::Value *TileMemory::lanesPointer(const Storage &from, llvm::Value *panel, llvm::Value *row,
                                      int width) {
  if (from.isPointers()) {
    llvm::Value *pointer =
        code.loadAs(code.getPtrTy(), code.at(from.base, code.CreateMul(row, code.i64(8))), 8);
    int64_t bytes = (width ? width : from.shape.panel) * bytesOf(from.type);
    return code.at(pointer, code.CreateMul(panel, code.i64(bytes)));
  }
  if (width && width < from.shape.panel) {
    llvm::Value *inPanel = code.i64(from.shape.panel / width);
    llvm::Value *lane = code.CreateMul(code.CreateURem(panel, inPanel), code.i64(width));
    llvm::Value *pointer = lanesPointer(from, code.CreateUDiv(panel, inPanel), row);
    return code.at(pointer, code.CreateMul(lane, code.i64(bytesOf(from.type))));
  }
  llvm::Value *pointer = from.base;
  auto moved = [&](llvm::Value *number, int64_t stride) {
    return code.at(pointer, code.CreateMul(number, code.i64(stride * bytesOf(from.type))));
  };
  if (row && from.rowStride())
    pointer = moved(row, from.rowStride());
  if (from.panelStride())
    pointer = moved(panel, from.panelStride());
  return pointer;
}

/// Of element (i, j); j is null for a vector.
llvm::Value *TileMemory::elementPointer(const Storage &from, llvm::Value *i, llvm::Value *j) {
  if (from.isPointers()) {
    llvm::Value *row =
        code.loadAs(code.getPtrTy(), code.at(from.base, code.CreateMul(i, code.i64(8))), 8);
    return code.at(row, code.CreateMul(j, code.i64(bytesOf(from.type))));
  }
  llvm::Value *lane = !j || from.laneDim == 0 ? i : j;
  llvm::Value *row = j ? (from.laneDim == 0 ? j : i) : nullptr;
  llvm::Value *offset = lane;
  if (from.isInPanels()) {
    llvm::Value *width = code.i64(from.shape.panel);
    offset = code.CreateURem(lane, width);
    if (from.panelStride())
      offset = code.CreateAdd(
          offset, code.CreateMul(code.CreateUDiv(lane, width), code.i64(from.panelStride())));
  }
  if (row)
    offset = code.CreateAdd(offset, code.CreateMul(row, code.i64(from.rowStride())));
  return code.at(from.base, code.CreateMul(offset, code.i64(bytesOf(from.type))));
}

LaneVectors TileMemory::loadLanes(const Storage &from, const Cell &cell) {
  llvm::Value *pointer = lanesPointer(from, cell.panel, cell.row, cell.shape.panel);
  LaneVectors result;
  llvm::Type *type = code.vectorOf(from.type, cell.shape.vector);
  int64_t bytes = bytesOf(from.type) * cell.shape.vector;
  for (int part = 0; part < cell.shape.parts(); ++part) {
    llvm::Value *each =
        code.loadAs(type, code.at(pointer, part * bytes), from.isPointers() ? 1 : 4);
    if (from.isPointers())
      each = fromMemory(code, each, from.element);
    else if (from.type->isIntegerTy(8))
      each = code.CreateICmpNE(each, llvm::ConstantInt::get(type, 0));
    result.push_back(each);
  }
  return result;
}

void TileMemory::storeLanes(const Storage &to, const Cell &cell, const LaneVectors &lanes) {
  llvm::Value *pointer = lanesPointer(to, cell.panel, cell.row, cell.shape.panel);
  llvm::Type *type = code.vectorOf(to.type, cell.shape.vector);
  int64_t bytes = bytesOf(to.type) * cell.shape.vector;
  for (auto [part, each] : llvm::enumerate(lanes)) {
    llvm::Value *value = to.type->isIntegerTy(8) ? code.CreateZExt(each, type) : each;
    code.storeTo(value, code.at(pointer, part * bytes), 4);
  }
}

} // namespace sparsec::cpu
