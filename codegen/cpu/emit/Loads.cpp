// Loads: rows in place, copied together, transposed, or element by element.
#include "codegen/cpu/emit/Emitter.h"

using namespace mlir;

namespace sparsec::cpu {

/// Whether every reader takes a load's elements from memory's rows, element by element along them
/// (in place) or in vectors.
bool KernelEmitter::readByRows(tile::LoadOp load) {
  return llvm::all_of(flow.readers(load.getResult()), [&](Operation *reader) {
    auto dot = dyn_cast<tile::DotOp>(reader);
    if (!dot || llvm::any_of(loopPlan.reads(dot), [&](const Read &read) { // its sums start from it
          return read.value == load.getResult() && read.access == Access::Cell;
        }))
      return false;
    return flow.resolve(dotOperands(dot, dims).lanes) != load.getResult();
  });
}

/// Whether a product takes a load's rows across its lanes: each register tile reads a panel of
/// them, row after row, which in memory are far apart.
bool KernelEmitter::readInPanels(tile::LoadOp load) {
  return llvm::any_of(flow.readers(load.getResult()), [&](Operation *reader) {
    auto dot = dyn_cast<tile::DotOp>(reader);
    if (!dot)
      return false;
    DotOperands operands = dotOperands(dot, dims);
    return flow.resolve(operands.lanes) == load.getResult() && operands.lanesDim == 1;
  });
}

/// Whether every reader takes a load's rows lane by lane.
bool KernelEmitter::readByLanes(tile::LoadOp load) {
  return dims.laneDim(load.getResult()) == 1 &&
         llvm::all_of(flow.readers(load.getResult()), [&](Operation *reader) {
           return isElementwise(reader) ||
                  isa<tile::ReduceOp, tile::StoreOp, tile::AccumulateOp>(reader);
         });
}

/// Whether its place in memory may be written before the last reader has read it.
bool KernelEmitter::writtenMeanwhile(tile::LoadOp load) {
  return llvm::any_of(load.getView().getUsers(),
                      [](Operation *user) { return isa<tile::StoreOp, tile::AccumulateOp>(user); });
}

/// Whether products sum along memory's columns, and nothing else reads the load.
bool KernelEmitter::readDownColumns(tile::LoadOp load) {
  return llvm::all_of(flow.readers(load.getResult()), [&](Operation *reader) {
    auto dot = dyn_cast<tile::DotOp>(reader);
    if (!dot)
      return false;
    DotOperands operands = dotOperands(dot, dims);
    return flow.resolve(operands.broadcast) == load.getResult() && operands.rowDim == 1 &&
           flow.resolve(operands.lanes) != load.getResult();
  });
}

/// Columns side by side in one cache line, row under row: a register tile that goes down a few of
/// them leaves the lines it took in the first-level cache to the tiles that go down their
/// neighbours. In memory's rows the next line is a whole row away, and all of them in a few sets.
Storage KernelEmitter::allocateColumns(RankedTensorType type) {
  constexpr int kLine = 16; // f32 of a cache line; columns are a multiple (CheckProgram.cpp)
  Storage made;
  made.kind = Storage::Buffer;
  made.element = memoryType(type.getElementType());
  made.laneDim = 1;
  int64_t rows = type.getDimSize(0), columns = type.getDimSize(1);
  made.shape = {columns, kLine, std::min(code.level.vector, kLine)};
  made.rowStride = kLine;
  made.panelStride = kLine * rows;
  made.base = allocate(rows * columns * bytesOf(made.element));
  return made;
}

void KernelEmitter::emitLoad(tile::LoadOp load) {
  RankedTensorType type = load.getType();
  if (type.getRank() == 1) {
    loadVector(load);
    return;
  }
  const View &view = views[load.getView()];
  std::optional<Stretch> columns = columnsOf(load.getColumns(), type.getDimSize(1));
  if (!columns || type.getDimSize(1) % code.shape(type.getDimSize(0)).vector ||
      type.getDimSize(1) * 4 > 4096) {
    Storage made = allocateTile(load.getResult(), /*local=*/false);
    loadElements(load, made);
    storage[load.getResult()] = made;
    return;
  }
  llvm::Value *pointers =
      rowPointers(view, load.getIndices(), load.getRows(), zeros(), columns->first);
  if (columns->live)
    padRows(view, pointers, type.getDimSize(0), *columns);
  bool byRows = readByRows(load), downColumns = readDownColumns(load);
  bool inPlace = (byRows && type.getElementType().isF32() && !downColumns) || readByLanes(load);
  if (inPlace && !writtenMeanwhile(load)) {
    Storage made;
    made.next = nextBlock(load, pointers);
    made.kind = Storage::Pointers;
    made.base = pointers;
    made.element = view.element;
    made.inMemory = view.type;
    made.laneDim = 1;
    made.shape = code.shape(type.getDimSize(1));
    auto rows = flow.resolve(load.getRows()).getDefiningOp<tile::RowsOp>();
    if (columns->live && rows && rowTables[rows.getRows()].first) {
      made.rowBytes = code.CreateMul(view.strides.back(), code.i64(bytesOf(view.element)));
      if (flow.resolve(rows.getTile()).getDefiningOp<tile::WorkOp>())
        made.toNextItem = code.CreateMul(made.rowBytes, code.i64(type.getDimSize(0)));
    }
    storage[load.getResult()] = made;
    return;
  }
  if (readAsPairs(load.getResult())) {
    loadPairs(load, pointers);
    if (readOnlyAsPairs(load.getResult()))
      return;
  }
  bool alongRows = byRows || readInPanels(load) || dims.laneDim(load.getResult()) == 1;
  Storage made = downColumns ? allocateColumns(type)
                             : allocateMatrix(type, alongRows ? 1 : 0, /*local=*/false,
                                              /*asRows=*/alongRows && !readInPanels(load));
  if (byRows)
    made.next = nextBlock(load, pointers);
  if (alongRows)
    loadAsRows(load, made, pointers);
  else
    loadTransposed(view, type.getDimSize(1), made, pointers);
  storage[load.getResult()] = made;
}

void KernelEmitter::loadAsRows(tile::LoadOp load, const Storage &to, llvm::Value *pointers) {
  const View &view = views[load.getView()];
  int64_t columns = load.getType().getDimSize(1), width = to.shape.vector;
  code.loop(code.i64(0), code.i64(load.getType().getDimSize(0)), 1, [&](llvm::Value *row) {
    llvm::Value *from =
        code.loadAs(code.getPtrTy(), code.at(pointers, code.CreateMul(row, code.i64(8))), 8);
    if (load.getColumns())
      prefetchRow(pointers, row, columns * bytesOf(view.element));
    for (int64_t column = 0; column < columns; column += width) {
      llvm::Value *bits = code.loadAs(code.vectorOf(view.element, int(width)),
                                      code.at(from, column * bytesOf(view.element)), 1);
      code.storeTo(fromMemory(bits, view.type),
                   lanesPointer(to, code.i64(column / width), row, int(width)));
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
        square.push_back(fromMemory(
            code.loadAs(code.vectorOf(view.element, width), code.at(row, skip), 1), view.type));
      llvm::Value *into = lanesPointer(to, group, column, width);
      for (auto [i, vector] : llvm::enumerate(code.transpose(square)))
        code.storeTo(vector, code.at(into, int64_t(i) * to.rowStride * bytesOf(to.element)));
    });
  });
}

/// Element by element: columns that are rows of another axis, and tiles of odd width.
void KernelEmitter::loadElements(tile::LoadOp load, const Storage &to) {
  const View &view = views[load.getView()];
  llvm::Value *pointers = rowPointers(view, load.getIndices(), load.getRows(),
                                      llvm::ConstantPointerNull::get(code.getPtrTy()));
  const RowTable *columns =
      load.getColumns() ? &rowTables[flow.resolve(load.getColumns())] : nullptr;
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
      llvm::Value *bits = code.loadAs(view.element, code.CreateSelect(exists, from, zeros()), 1);
      code.storeTo(fromMemory(bits, view.type), elementPointer(to, i, j), 1);
    });
  });
}

void KernelEmitter::loadVector(tile::LoadOp load) {
  const View &view = views[load.getView()];
  Storage made = allocateTile(load.getResult(), /*local=*/false);
  storage[load.getResult()] = made;
  const RowTable &rows = rowTables[flow.resolve(load.getRows())];
  if (rows.first && view.strides.size() == load.getIndices().size() && isa<FloatType>(view.type)) {
    SmallVector<llvm::Value *> indices;
    for (Value index : load.getIndices())
      indices.push_back(scalar(index));
    loadStretch(view, rowPointer(view, indices, rows, code.i64(0), rows.first), stretchOf(rows),
                made);
    return;
  }
  llvm::Value *pointers = rowPointers(view, load.getIndices(), load.getRows(), zeros());
  code.loop(code.i64(0), code.i64(made.shape.lanes), 1, [&](llvm::Value *row) {
    llvm::Value *from =
        code.loadAs(code.getPtrTy(), code.at(pointers, code.CreateMul(row, code.i64(8))), 8);
    llvm::Value *bits = code.loadAs(view.element, from, 1);
    code.storeTo(fromMemory(bits, view.type), elementPointer(made, row, nullptr), 1);
  });
}

/// Elements side by side, zeros behind.
void KernelEmitter::loadStretch(const View &view, llvm::Value *from, const Stretch &stretch,
                                const Storage &to) {
  int width = to.shape.vector;
  llvm::Type *type = code.vectorOf(view.element, width);
  auto put = [&](llvm::Value *value, llvm::Value *at) {
    code.storeTo(value, elementPointer(to, at, nullptr), 4);
  };
  overStretch(stretch, width, [&](llvm::Value *at, llvm::Value *mask) {
    llvm::Value *place = code.at(from, code.CreateMul(at, code.i64(bytesOf(view.element))));
    put(fromMemory(loadMasked(type, place, mask), view.type), at);
  });
  llvm::Value *end = code.CreateAdd(stretch.live, code.i64(width - 1));
  llvm::Type *floats = code.vectorOf(to.element, width);
  code.loop(code.CreateAnd(end, code.i64(-width)), code.i64(stretch.size), width,
            [&](llvm::Value *at) { put(llvm::Constant::getNullValue(floats), at); });
}

} // namespace sparsec::cpu
