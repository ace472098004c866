// Scratch memory, loads and stores.
#include "codegen/cpu/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace sparsec::cpu {

static int64_t bytesOf(llvm::Type *element) {
  return element->getScalarSizeInBits() / 8;
}

//===-- Scratch -------------------------------------------------------------------------------===//

/// Cache lines apart, so that equal places of two tiles do not meet in one set.
llvm::Value *KernelEmitter::allocate(int64_t bytes) {
  int64_t offset = allocated;
  allocated += (bytes + 63) / 64 * 64 + 64;
  llvm::IRBuilder<>::InsertPointGuard guard(code);
  code.SetInsertPoint(&function->getEntryBlock(), function->getEntryBlock().begin());
  return code.at(scratch, offset);
}

Storage KernelEmitter::allocateMatrix(RankedTensorType type, int laneDim, bool local, bool asRows) {
  Storage made;
  made.kind = Storage::Buffer;
  made.element = memoryType(type.getElementType());
  made.laneDim = laneDim;
  made.shape = code.shape(type.getDimSize(laneDim));
  int64_t rows = type.getDimSize(1 - laneDim);
  // Rows a cache line further apart than they are long, so that a column is not all in one set.
  made.rowStride = asRows ? made.shape.lanes + 16 : made.shape.panel;
  made.panelStride = asRows ? made.shape.panel : made.shape.panel * rows;
  made.local = local;
  int64_t lanes = local ? made.shape.panel : asRows ? made.rowStride : made.shape.lanes;
  made.base = allocate(rows * lanes * bytesOf(made.element));
  return made;
}

Storage KernelEmitter::allocateTile(Value value, bool local) {
  RankedTensorType type = tileType(value);
  if (type.getRank() == 2)
    return allocateMatrix(type, dims.laneDim(value), local, /*asRows=*/false);
  Storage made;
  made.kind = Storage::Buffer;
  made.element = memoryType(type.getElementType());
  made.shape = code.shape(type.getDimSize(0));
  made.panelStride = made.shape.panel;
  made.base = allocate(type.getDimSize(0) * bytesOf(made.element));
  return made;
}

llvm::Value *KernelEmitter::lanesPointer(const Storage &from, llvm::Value *panel, llvm::Value *row,
                                         int width) {
  if (width && width < from.shape.panel) {
    llvm::Value *inPanel = code.i64(from.shape.panel / width);
    llvm::Value *lane = code.CreateMul(code.CreateURem(panel, inPanel), code.i64(width));
    llvm::Value *pointer = lanesPointer(from, code.CreateUDiv(panel, inPanel), row);
    return code.at(pointer, code.CreateMul(lane, code.i64(bytesOf(from.element))));
  }
  if (from.kind == Storage::Pointers) {
    llvm::Value *pointer =
        code.loadAs(code.getPtrTy(), code.at(from.base, code.CreateMul(row, code.i64(8))), 8);
    return code.at(pointer, code.CreateMul(panel, code.i64(from.shape.panel * 4)));
  }
  llvm::Value *pointer = from.base;
  if (row && from.rowStride)
    pointer =
        code.at(pointer, code.CreateMul(row, code.i64(from.rowStride * bytesOf(from.element))));
  if (!from.local)
    pointer =
        code.at(pointer, code.CreateMul(panel, code.i64(from.panelStride * bytesOf(from.element))));
  return pointer;
}

/// Of element (i, j); j is null for a vector.
llvm::Value *KernelEmitter::elementPointer(const Storage &from, llvm::Value *i, llvm::Value *j) {
  if (from.kind == Storage::Pointers) {
    llvm::Value *row =
        code.loadAs(code.getPtrTy(), code.at(from.base, code.CreateMul(i, code.i64(8))), 8);
    return code.at(row, code.CreateMul(j, code.i64(4)));
  }
  llvm::Value *lane = !j || from.laneDim == 0 ? i : j;
  llvm::Value *row = j ? (from.laneDim == 0 ? j : i) : nullptr;
  llvm::Value *offset = lane;
  if (from.panelStride != from.shape.panel) {
    llvm::Value *width = code.i64(from.shape.panel);
    offset = code.CreateURem(lane, width);
    if (!from.local)
      offset = code.CreateAdd(
          offset, code.CreateMul(code.CreateUDiv(lane, width), code.i64(from.panelStride)));
  }
  if (row)
    offset = code.CreateAdd(offset, code.CreateMul(row, code.i64(from.rowStride)));
  return code.at(from.base, code.CreateMul(offset, code.i64(bytesOf(from.element))));
}

Lanes KernelEmitter::loadLanes(const Storage &from, const Cell &cell) {
  llvm::Value *pointer = lanesPointer(from, cell.panel, cell.row, cell.shape.panel);
  Lanes result;
  llvm::Type *type = code.vectorOf(from.element, cell.shape.vector);
  int64_t bytes = bytesOf(from.element) * cell.shape.vector;
  for (int part = 0; part < cell.shape.parts(); ++part) {
    llvm::Value *each = code.loadAs(type, code.at(pointer, part * bytes), 4);
    if (from.element->isIntegerTy(8))
      each = code.CreateICmpNE(each, llvm::ConstantInt::get(type, 0));
    result.push_back(each);
  }
  return result;
}

void KernelEmitter::storeLanes(const Storage &to, const Cell &cell, const Lanes &lanes) {
  llvm::Value *pointer = lanesPointer(to, cell.panel, cell.row, cell.shape.panel);
  llvm::Type *type = code.vectorOf(to.element, cell.shape.vector);
  int64_t bytes = bytesOf(to.element) * cell.shape.vector;
  for (auto [part, each] : llvm::enumerate(lanes)) {
    llvm::Value *value = to.element->isIntegerTy(8) ? code.CreateZExt(each, type) : each;
    code.storeTo(value, code.at(pointer, part * bytes), 4);
  }
}

/// Fills a tile's memory with a value of the same shape.
void KernelEmitter::copyTile(const Storage &to, Value from) {
  bool matrix = isMatrix(from);
  code.loop(code.i64(0), code.i64(to.shape.panels()), 1, [&](llvm::Value *panel) {
    Cell cell;
    cell.panel = panel, cell.laneDim = to.laneDim, cell.shape = to.shape;
    if (!matrix) {
      storeLanes(to, cell, lanes(from, cell));
      return;
    }
    int64_t rows = tileType(from).getDimSize(1 - to.laneDim);
    code.loop(code.i64(0), code.i64(rows), 1, [&](llvm::Value *row) {
      Cell each = cell;
      each.row = row;
      storeLanes(to, each, lanes(from, each));
    });
  });
}

/// The memory of a matrix with this dimension across lanes, copied if it is not so yet.
Storage KernelEmitter::materialise(Value value, int laneDim) {
  value = flow.resolve(value);
  auto found = storage.find(value);
  if (found != storage.end()) {
    const Storage &has = found->second;
    if (has.kind == Storage::Pointers ? laneDim == 1 : has.laneDim == laneDim)
      return has;
  }
  Storage made = allocateMatrix(tileType(value), laneDim, /*local=*/false, /*asRows=*/false);
  if (found == storage.end()) {
    copyTile(made, value);
    return made;
  }
  Storage has = found->second;
  RankedTensorType type = tileType(value);
  code.loop(code.i64(0), code.i64(type.getDimSize(0)), 1, [&](llvm::Value *i) {
    code.loop(code.i64(0), code.i64(type.getDimSize(1)), 1, [&](llvm::Value *j) {
      llvm::Value *element = code.loadAs(made.element, elementPointer(has, i, j), 1);
      code.storeTo(element, elementPointer(made, i, j), 1);
    });
  });
  return made;
}

/// The memory of a value in whichever form; what is free gets some.
Storage KernelEmitter::anyStorage(Value value) {
  value = flow.resolve(value);
  if (auto found = storage.find(value); found != storage.end())
    return found->second;
  Storage made = allocateTile(value, /*local=*/false);
  copyTile(made, value);
  return made;
}

//===-- Views ---------------------------------------------------------------------------------===//

llvm::Value *KernelEmitter::fromMemory(llvm::Value *bits, Type element) {
  if (element.isBF16())
    return code.fromBf16(bits);
  return element.isF16() ? code.fromF16(bits) : bits;
}
llvm::Value *KernelEmitter::toMemory(llvm::Value *value, Type element) {
  if (element.isBF16())
    return code.bf16Bits(value);
  return element.isF16() ? code.f16Bits(value) : value;
}

/// What rows that do not exist point at.
llvm::Value *KernelEmitter::zeros() {
  constexpr int64_t bytes = 4096;
  if (auto *global = module.getNamedGlobal("zeros"))
    return global;
  auto *type = llvm::ArrayType::get(code.getInt8Ty(), bytes);
  auto *global = new llvm::GlobalVariable(module, type, /*isConstant=*/true,
                                          llvm::GlobalValue::InternalLinkage,
                                          llvm::Constant::getNullValue(type), "zeros");
  global->setAlignment(llvm::Align(64));
  return global;
}

llvm::Value *KernelEmitter::rowPointer(const View &view, ArrayRef<llvm::Value *> indices,
                                       const RowTable &rows, llvm::Value *row,
                                       llvm::Value *position) {
  llvm::Value *offset = code.i64(0);
  for (auto [i, index] : llvm::enumerate(indices)) {
    llvm::Value *at = code.wide(index);
    if (rows.heads > 1 && i + 1 == indices.size())
      at = code.CreateAdd(at, code.CreateURem(row, code.i64(rows.heads)));
    offset = code.CreateAdd(offset, code.CreateMul(at, view.strides[i]));
  }
  llvm::Value *at = code.CreateZExt(position, code.getInt64Ty());
  if (view.strides.size() > indices.size())
    at = code.CreateMul(at, view.strides.back());
  offset = code.CreateAdd(offset, at);
  return code.at(view.base, code.CreateMul(offset, code.i64(bytesOf(view.element))));
}

/// A table of pointers to the rows of a view, `missing` where there is no row.
llvm::Value *KernelEmitter::rowPointers(const View &view, ValueRange indices, Value rowsValue,
                                        llvm::Value *missing) {
  const RowTable &rows = rowTables[flow.resolve(rowsValue)];
  SmallVector<llvm::Value *> at;
  for (Value index : indices)
    at.push_back(scalar(index));
  llvm::Value *table = allocate(rows.size * 8);
  code.loop(code.i64(0), code.i64(rows.size), 1, [&](llvm::Value *row) {
    llvm::Value *position =
        code.loadAs(code.getInt32Ty(), code.at(rows.positions, code.CreateMul(row, code.i64(4))));
    llvm::Value *exists = code.CreateICmpULT(position, rows.length);
    llvm::Value *pointer =
        code.CreateSelect(exists, rowPointer(view, at, rows, row, position), missing);
    code.storeTo(pointer, code.at(table, code.CreateMul(row, code.i64(8))), 8);
  });
  return table;
}

//===-- Loads ---------------------------------------------------------------------------------===//

/// Whether every reader takes a load's elements from memory's rows, element by element along them
/// (in place) or in vectors.
bool KernelEmitter::readByRows(tile::LoadOp load) {
  return llvm::all_of(flow.readers(load.getResult()), [&](Operation *reader) {
    auto dot = dyn_cast<tile::DotOp>(reader);
    if (!dot || llvm::any_of(schedule.reads(dot), [&](const Read &read) { // its sums start from it
          return read.value == load.getResult() && read.access == Access::Cell;
        }))
      return false;
    DotOperands operands = dotOperands(dot, dims);
    return flow.resolve(operands.lanes) != load.getResult() || operands.lanesDim == 1;
  });
}

/// Whether a product sums along memory's columns.
bool KernelEmitter::readDownColumns(tile::LoadOp load) {
  return llvm::any_of(flow.readers(load.getResult()), [&](Operation *reader) {
    DotOperands operands = dotOperands(cast<tile::DotOp>(reader), dims);
    return flow.resolve(operands.broadcast) == load.getResult() && operands.rowDim == 1;
  });
}

/// Rows that lie far apart are copied close together, since a column of them would be in few sets
/// of the first-level cache; the pointers then point there. Returns whether they are.
llvm::Value *KernelEmitter::gatherRows(const View &view, llvm::Value *pointers,
                                       RankedTensorType type) {
  constexpr int64_t kFar = 1024; // bytes: 128 such rows take 4 of 64 sets
  int64_t rows = type.getDimSize(0), columns = type.getDimSize(1);
  if (rows < 2)
    return code.getFalse();
  Storage to = allocateMatrix(type, /*laneDim=*/1, /*local=*/false, /*asRows=*/true);
  auto entry = [&](llvm::Value *row) {
    return code.at(pointers, code.CreateMul(row, code.i64(8)));
  };
  auto address = [&](int64_t row) {
    return code.CreatePtrToInt(code.loadAs(code.getPtrTy(), entry(code.i64(row)), 8),
                               code.getInt64Ty());
  };
  // From -kFar to kFar, as one unsigned comparison.
  llvm::Value *apart = code.CreateAdd(code.CreateSub(address(1), address(0)), code.i64(kFar - 1));
  llvm::Value *isFar = code.CreateICmpUGE(apart, code.i64(2 * kFar - 1));
  code.branch(isFar, [&] {
    code.loop(code.i64(0), code.i64(rows), 1, [&](llvm::Value *row) {
      llvm::Value *from = code.loadAs(code.getPtrTy(), entry(row), 8);
      llvm::Value *into = lanesPointer(to, code.i64(0), row);
      llvm::Type *vector = code.vectorOf(view.element, int(to.shape.vector));
      for (int64_t column = 0; column < columns; column += to.shape.vector)
        code.storeTo(code.loadAs(vector, code.at(from, column * 4)), code.at(into, column * 4));
      code.storeTo(into, entry(row), 8);
    });
  });
  return isFar;
}

void KernelEmitter::emitLoad(tile::LoadOp load) {
  RankedTensorType type = load.getType();
  if (type.getRank() == 1) {
    loadVector(load);
    return;
  }
  const View &view = views[load.getView()];
  bool byRows = readByRows(load);
  if (load.getColumns() || type.getDimSize(1) % code.shape(type.getDimSize(0)).vector ||
      type.getDimSize(1) * 4 > 4096) {
    Storage made = allocateTile(load.getResult(), /*local=*/false);
    loadElements(load, made);
    storage[load.getResult()] = made;
    return;
  }
  llvm::Value *pointers = rowPointers(view, load.getIndices(), load.getRows(), zeros());
  bool written = llvm::any_of(load.getView().getUsers(), [](Operation *user) {
    return isa<tile::StoreOp, tile::AccumulateOp>(user);
  });
  if (byRows && type.getElementType().isF32() && !written) {
    llvm::Value *toNext = bytesToNextBlock(load);
    if (readDownColumns(load)) {
      llvm::Value *isFar = gatherRows(view, pointers, type);
      if (toNext)
        toNext = code.CreateSelect(isFar, code.i64(0), toNext);
    }
    Storage made;
    made.toNextBlock = toNext;
    made.kind = Storage::Pointers;
    made.base = pointers;
    made.element = code.getFloatTy();
    made.laneDim = 1;
    made.shape = code.shape(type.getDimSize(1));
    storage[load.getResult()] = made;
    return;
  }
  if (readAsPairs(load.getResult())) {
    loadPairs(load, pointers);
    if (readOnlyAsPairs(load.getResult()))
      return;
  }
  bool asRows = byRows || dims.laneDim(load.getResult()) == 1;
  Storage made = allocateMatrix(type, asRows ? 1 : 0, /*local=*/false, asRows);
  if (asRows)
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
    llvm::Value *into = lanesPointer(to, code.i64(0), row);
    for (int64_t column = 0; column < columns; column += width) {
      llvm::Value *bits = code.loadAs(code.vectorOf(view.element, int(width)),
                                      code.at(from, column * bytesOf(view.element)), 1);
      code.storeTo(fromMemory(bits, view.type), code.at(into, column * bytesOf(to.element)));
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
  llvm::Value *pointers = rowPointers(view, load.getIndices(), load.getRows(), zeros());
  code.loop(code.i64(0), code.i64(made.shape.lanes), 1, [&](llvm::Value *row) {
    llvm::Value *from =
        code.loadAs(code.getPtrTy(), code.at(pointers, code.CreateMul(row, code.i64(8))), 8);
    llvm::Value *bits = code.loadAs(view.element, from, 1);
    code.storeTo(fromMemory(bits, view.type), elementPointer(made, row, nullptr), 1);
  });
  storage[load.getResult()] = made;
}

//===-- Stores --------------------------------------------------------------------------------===//

/// Of a rank-1 tile; nothing where the view is not there.
void KernelEmitter::storeVector(tile::StoreOp store) {
  const View &view = views[store.getView()];
  const RowTable &rows = rowTables[flow.resolve(store.getRows())];
  Storage from = anyStorage(store.getValue());
  SmallVector<llvm::Value *> indices;
  for (Value index : store.getIndices())
    indices.push_back(scalar(index));
  code.branch(code.CreateIsNotNull(view.base), [&] {
    code.loop(code.i64(0), code.i64(rows.size), 1, [&](llvm::Value *row) {
      llvm::Value *position =
          code.loadAs(code.getInt32Ty(), code.at(rows.positions, code.CreateMul(row, code.i64(4))));
      code.branch(code.CreateICmpULT(position, rows.length), [&] {
        llvm::Value *value = code.loadAs(from.element, elementPointer(from, row, nullptr), 1);
        code.storeTo(toMemory(value, view.type), rowPointer(view, indices, rows, row, position), 1);
      });
    });
  });
}

/// Of one panel of a matrix. Rows that do not exist go to a place that nobody reads.
template <class Op>
void KernelEmitter::emitStore(Op store, Cell &panel) {
  const View &view = views[store.getView()];
  llvm::Value *pointers = storePointers[store];
  RankedTensorType type = tileType(store.getValue());
  int width = panel.shape.vector;
  int64_t bytes = bytesOf(view.element);
  llvm::Type *vector = code.vectorOf(view.element, width);
  auto write = [&](llvm::Value *value, llvm::Value *to) {
    if (isa<tile::AccumulateOp>(store.getOperation()))
      value = code.CreateFAdd(fromMemory(code.loadAs(vector, to, 1), view.type), value);
    code.storeTo(toMemory(value, view.type), to, 1);
  };
  auto pointer = [&](llvm::Value *row) {
    return code.loadAs(code.getPtrTy(), code.at(pointers, code.CreateMul(row, code.i64(8))), 8);
  };
  if (panel.laneDim == 1) {
    code.loop(code.i64(0), code.i64(type.getDimSize(0)), 1, [&](llvm::Value *row) {
      Cell cell = panel;
      cell.row = row;
      llvm::Value *to =
          code.at(pointer(row), code.CreateMul(panel.panel, code.i64(panel.shape.panel * bytes)));
      for (auto [part, value] : llvm::enumerate(lanes(store.getValue(), cell)))
        write(value, code.at(to, int64_t(part) * width * bytes));
    });
    return;
  }
  code.loop(code.i64(0), code.i64(type.getDimSize(1)), width, [&](llvm::Value *column) {
    SmallVector<Lanes> rows;
    for (int i = 0; i < width; ++i) {
      Cell cell = panel;
      cell.row = code.CreateAdd(column, code.i64(i));
      rows.push_back(lanes(store.getValue(), cell));
    }
    for (int part = 0; part < panel.shape.parts(); ++part) {
      SmallVector<llvm::Value *> square;
      for (const Lanes &row : rows)
        square.push_back(row[part]);
      for (auto [lane, value] : llvm::enumerate(code.transpose(square))) {
        llvm::Value *row = code.CreateAdd(code.CreateMul(panel.panel, code.i64(panel.shape.panel)),
                                          code.i64(part * width + int64_t(lane)));
        write(value, code.at(pointer(row), code.CreateMul(column, code.i64(bytes))));
      }
    }
  });
}

template void KernelEmitter::emitStore(tile::StoreOp, Cell &);
template void KernelEmitter::emitStore(tile::AccumulateOp, Cell &);

} // namespace sparsec::cpu
