// Tiles from place to place, and what has none into one.
#include "codegen/cpu/emit/Emitter.h"

using namespace mlir;

namespace sparsec::cpu {

/// What a serial operation takes from memory.
const Storage &KernelEmitter::operand(Operation *op, Value value) {
  auto copied = plan.copied.find(op);
  if (copied == plan.copied.end())
    return *tiles.of(value);
  Storage &made = tiles.begin(copied->second);
  copyTile(made, value);
  return made;
}

/// Fills a tile's memory with a value of the same shape, which lies in `from` if that is given.
void KernelEmitter::copyTile(const Storage &to, Value value, const Storage *from) {
  bool matrix = isMatrix(value);
  auto store = [&](Cell &cell) {
    tiles.storeLanes(to, cell, from ? tiles.loadLanes(*from, cell) : lanes(value, cell));
  };
  code.loop(code.i64(0), code.i64(to.shape.panels()), 1, [&](llvm::Value *panel) {
    Cell cell;
    cell.panel = panel, cell.laneDim = to.laneDim, cell.shape = to.shape;
    if (!matrix) {
      store(cell);
      return;
    }
    int64_t rows = tileType(value).getDimSize(1 - to.laneDim);
    code.loop(code.i64(0), code.i64(rows), 1, [&](llvm::Value *row) {
      Cell each = cell;
      each.row = row;
      store(each);
    });
  });
}

/// Fills memory in any form with a value; where that lies otherwise, element by element.
void KernelEmitter::copyInto(const Storage &to, Value value) {
  const Storage *from = tiles.of(value);
  if (!from) {
    copyTile(to, flow.resolve(value));
    return;
  }
  RankedTensorType type = tileType(value);
  code.loop(code.i64(0), code.i64(type.getDimSize(0)), 1, [&](llvm::Value *i) {
    code.loop(code.i64(0), code.i64(type.getDimSize(1)), 1, [&](llvm::Value *j) {
      llvm::Value *element = code.loadAs(to.type, tiles.elementPointer(*from, i, j), 1);
      code.storeTo(element, tiles.elementPointer(to, i, j), 1);
    });
  });
}

} // namespace sparsec::cpu
