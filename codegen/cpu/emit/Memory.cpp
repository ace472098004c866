// Scratch memory and views.
#include "codegen/cpu/emit/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace sparsec::cpu {

//===-- Scratch -------------------------------------------------------------------------------===//

/// Cache lines apart, so that equal places of two tiles do not meet in one set.
llvm::Value *KernelEmitter::allocate(int64_t bytes) {
  int64_t offset = allocated;
  allocated += (bytes + 63) / 64 * 64 + 64;
  llvm::IRBuilder<>::InsertPointGuard guard(code);
  code.SetInsertPoint(&function->getEntryBlock(), function->getEntryBlock().begin());
  return code.at(scratch, offset);
}

/// The memory of a place begins to be used.
Storage &KernelEmitter::begin(int number) {
  Storage &made = memories[number];
  static_cast<Place &>(made) = plan.places[number];
  made.type = inMemory(made.element);
  if (made.isPointers())
    return made;
  made.base = allocate(made.elements() * bytesOf(made.type));
  if (made.filled)
    fillWithZeros(made);
  return made;
}

/// A place is where something lies already.
Storage &KernelEmitter::bind(int number, llvm::Value *base) {
  Storage &made = memories[number];
  static_cast<Place &>(made) = plan.places[number];
  made.type = inMemory(made.element);
  made.base = base;
  return made;
}

/// The rows that nothing is written to. Panels that share their memory are filled once.
void KernelEmitter::fillWithZeros(const Storage &to) {
  llvm::Type *vector = code.vectorOf(to.type, to.shape.vector);
  for (int64_t panel = 0; panel < (to.form == Form::OnePanel ? 1 : to.shape.panels()); ++panel)
    for (int64_t row = to.filled; row < to.rows; ++row)
      for (int part = 0; part < to.shape.parts(); ++part)
        code.storeTo(llvm::Constant::getNullValue(vector),
                     code.at(lanesPointer(to, code.i64(panel), code.i64(row)),
                             part * to.shape.vector * bytesOf(to.type)));
}

const Storage *KernelEmitter::memoryOf(Value value) const {
  int place = plan.placeFor(flow.resolve(value));
  return place == kNowhere ? nullptr : &memories[place];
}

/// What a serial operation takes from memory.
const Storage &KernelEmitter::operand(Operation *op, Value value) {
  auto copied = plan.copied.find(op);
  if (copied == plan.copied.end())
    return *memoryOf(value);
  Storage &made = begin(copied->second);
  copyTile(made, value);
  return made;
}

llvm::Value *KernelEmitter::lanesPointer(const Storage &from, llvm::Value *panel, llvm::Value *row,
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
llvm::Value *KernelEmitter::elementPointer(const Storage &from, llvm::Value *i, llvm::Value *j) {
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

LaneVectors KernelEmitter::loadLanes(const Storage &from, const Cell &cell) {
  llvm::Value *pointer = lanesPointer(from, cell.panel, cell.row, cell.shape.panel);
  LaneVectors result;
  llvm::Type *type = code.vectorOf(from.type, cell.shape.vector);
  int64_t bytes = bytesOf(from.type) * cell.shape.vector;
  for (int part = 0; part < cell.shape.parts(); ++part) {
    llvm::Value *each =
        code.loadAs(type, code.at(pointer, part * bytes), from.isPointers() ? 1 : 4);
    if (from.isPointers())
      each = fromMemory(each, from.element);
    else if (from.type->isIntegerTy(8))
      each = code.CreateICmpNE(each, llvm::ConstantInt::get(type, 0));
    result.push_back(each);
  }
  return result;
}

void KernelEmitter::storeLanes(const Storage &to, const Cell &cell, const LaneVectors &lanes) {
  llvm::Value *pointer = lanesPointer(to, cell.panel, cell.row, cell.shape.panel);
  llvm::Type *type = code.vectorOf(to.type, cell.shape.vector);
  int64_t bytes = bytesOf(to.type) * cell.shape.vector;
  for (auto [part, each] : llvm::enumerate(lanes)) {
    llvm::Value *value = to.type->isIntegerTy(8) ? code.CreateZExt(each, type) : each;
    code.storeTo(value, code.at(pointer, part * bytes), 4);
  }
}

/// Fills a tile's memory with a value of the same shape, which lies in `from` if that is given.
void KernelEmitter::copyTile(const Storage &to, Value value, const Storage *from) {
  bool matrix = isMatrix(value);
  auto store = [&](Cell &cell) {
    storeLanes(to, cell, from ? loadLanes(*from, cell) : lanes(value, cell));
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
  const Storage *from = memoryOf(value);
  if (!from) {
    copyTile(to, flow.resolve(value));
    return;
  }
  RankedTensorType type = tileType(value);
  code.loop(code.i64(0), code.i64(type.getDimSize(0)), 1, [&](llvm::Value *i) {
    code.loop(code.i64(0), code.i64(type.getDimSize(1)), 1, [&](llvm::Value *j) {
      llvm::Value *element = code.loadAs(to.type, elementPointer(*from, i, j), 1);
      code.storeTo(element, elementPointer(to, i, j), 1);
    });
  });
}

//===-- Views ---------------------------------------------------------------------------------===//

/// As memory holds elements: 16-bit floats as i16.
llvm::Type *KernelEmitter::inMemory(Type element) {
  return element.isF16() || element.isBF16() ? code.getInt16Ty() : memoryType(element);
}

/// Integers of fewer than 32 bits are unsigned and widened.
llvm::Value *KernelEmitter::fromMemory(llvm::Value *bits, Type element) {
  if (element.isInteger(8) || element.isInteger(16))
    return code.CreateZExt(bits, bits->getType()->getWithNewBitWidth(32));
  if (element.isBF16())
    return code.fromBf16(bits);
  return element.isF16() ? code.fromF16(bits) : bits;
}
llvm::Value *KernelEmitter::toMemory(llvm::Value *value, Type element) {
  if (element.isBF16())
    return code.bf16Bits(value);
  return element.isF16() ? code.f16Bits(value) : value;
}

Stretch KernelEmitter::stretchOf(const RowTable &rows) {
  llvm::Value *first = code.wide(rows.first), *size = code.i64(rows.size);
  llvm::Value *left = code.CreateSub(code.wide(rows.length), first);
  llvm::Value *live = code.most(code.least(left, size), code.i64(0));
  // Where LLVM 22 sees that a store's mask leaves one lane of 16 bits that were truncated, it
  // writes the 32 bits.
  auto *known = dyn_cast<llvm::ConstantInt>(live);
  return {first, known && known->getSExtValue() < rows.size ? code.unknown(live) : live, rows.size};
}

/// The columns of a load or store, which follow one by one; all of `size` where none are named.
Stretch KernelEmitter::columnsOf(Value columns, int64_t size) {
  return columns ? stretchOf(rowTables[flow.resolve(columns)]) : Stretch{.size = size};
}

/// The lanes of a vector at `at` that exist.
llvm::Value *KernelEmitter::maskOf(const Stretch &stretch, llvm::Value *at, int width) {
  llvm::Value *left = code.CreateTrunc(code.CreateSub(stretch.live, at), code.getInt32Ty());
  return code.CreateICmpSLT(code.iota(width), code.CreateVectorSplat(width, left));
}

/// 0 in the other lanes, whose memory is not read.
llvm::Value *KernelEmitter::loadMasked(llvm::Type *type, llvm::Value *pointer, llvm::Value *mask) {
  return mask ? code.CreateMaskedLoad(type, pointer, llvm::Align(1), mask,
                                      llvm::Constant::getNullValue(type))
              : code.loadAs(type, pointer, 1);
}

/// Vector by vector: without a mask where all lanes exist; those without any lane are left out.
void KernelEmitter::overStretch(const Stretch &stretch, int width, AtLanes body) {
  if (!stretch.live) {
    code.loop(code.i64(0), code.i64(stretch.size), width,
              [&](llvm::Value *at) { body(at, nullptr); });
    return;
  }
  llvm::Value *whole = code.CreateAnd(stretch.live, code.i64(-width));
  code.loop(code.i64(0), whole, width, [&](llvm::Value *at) { body(at, nullptr); });
  code.branch(code.CreateICmpSLT(whole, stretch.live),
              [&] { body(whole, maskOf(stretch, whole, width)); });
}

/// Rows whose columns end within the tile are copied to where zeros follow, and pointed at there.
void KernelEmitter::padRows(const View &view, llvm::Value *pointers, int64_t rows,
                            const Stretch &columns) {
  int64_t bytes = bytesOf(view.element);
  int width = plan.panels.shape(columns.size).vector;
  int64_t stride = columns.size * bytes + 64; // not all in one set of the cache
  llvm::Value *copies = allocate(rows * stride);
  llvm::Type *type = code.vectorOf(view.element, width);
  auto moved = [&](llvm::Value *pointer, llvm::Value *at) {
    return code.at(pointer, code.CreateMul(at, code.i64(bytes)));
  };
  code.branch(code.CreateICmpSLT(columns.live, code.i64(columns.size)), [&] {
    llvm::Value *end = code.CreateAdd(columns.live, code.i64(width - 1));
    end = code.CreateAnd(end, code.i64(-width));
    code.loop(code.i64(0), code.i64(rows), 1, [&](llvm::Value *row) {
      llvm::Value *entry = code.at(pointers, code.CreateMul(row, code.i64(8)));
      llvm::Value *from = code.loadAs(code.getPtrTy(), entry, 8);
      llvm::Value *to = code.at(copies, code.CreateMul(row, code.i64(stride)));
      overStretch(columns, width, [&](llvm::Value *at, llvm::Value *mask) {
        code.storeTo(loadMasked(type, moved(from, at), mask), moved(to, at));
      });
      code.loop(end, code.i64(columns.size), width, [&](llvm::Value *at) {
        code.storeTo(llvm::Constant::getNullValue(type), moved(to, at));
      });
      code.storeTo(to, entry, 8);
    });
  });
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

/// Of a position, or of a vector of them; of which row matters only where tokens have several.
llvm::Value *KernelEmitter::rowPointer(const View &view, ArrayRef<llvm::Value *> indices,
                                       const RowTable &rows, llvm::Value *row,
                                       llvm::Value *position) {
  llvm::Value *start = code.i64(0);
  for (auto [i, index] : llvm::enumerate(indices)) {
    llvm::Value *at = code.wide(index);
    if (rows.heads > 1 && i + 1 == indices.size())
      at = code.CreateAdd(at, code.CreateURem(row, code.i64(rows.heads)));
    start = code.CreateAdd(start, code.CreateMul(at, view.strides[i]));
  }
  auto repeat = [&](llvm::Value *number) { return code.repeat(number, position); };
  llvm::Value *at = code.CreateZExt(position, repeat(start)->getType());
  if (view.strides.size() > indices.size())
    at = code.CreateMul(at, repeat(view.strides.back()));
  at = code.CreateAdd(at, repeat(start));
  return code.at(view.base, code.CreateMul(at, repeat(code.i64(bytesOf(view.element)))));
}

/// A table of pointers to the rows of a view, each to its column `firstColumn`; `missing` where
/// there is no row.
llvm::Value *KernelEmitter::rowPointers(const View &view, ValueRange indices, Value rowsValue,
                                        llvm::Value *missing, llvm::Value *firstColumn) {
  const RowTable &rows = rowTables[flow.resolve(rowsValue)];
  SmallVector<llvm::Value *> at;
  for (Value index : indices)
    at.push_back(scalar(index));
  View from = view;
  if (firstColumn)
    from.base = code.at(view.base, code.CreateMul(firstColumn, code.i64(bytesOf(view.element))));
  llvm::Value *table = allocate((rows.size + kRowsAhead) * 8);
  // A register of pointers at once, where rows are tokens.
  int width = rows.heads > 1 ? 1 : code.level.vector / 2;
  auto several = [&](llvm::Type *type) { return width > 1 ? code.vectorOf(type, width) : type; };
  code.loop(code.i64(0), code.i64(rows.size), width, [&](llvm::Value *row) {
    llvm::Value *position = code.loadAs(several(code.getInt32Ty()),
                                        code.at(rows.positions, code.CreateMul(row, code.i64(4))));
    llvm::Value *exists = code.CreateICmpULT(position, code.repeat(rows.length, position));
    llvm::Value *pointer = code.CreateSelect(exists, rowPointer(from, at, rows, row, position),
                                             code.repeat(missing, position));
    code.storeTo(pointer, code.at(table, code.CreateMul(row, code.i64(8))), 8);
  });
  return table;
}

} // namespace sparsec::cpu
