// Stores: vectors, and matrices as they lie or transposed.
#include "codegen/cpu/emit/Arithmetic.h"
#include "codegen/cpu/emit/Emitter.h"

using namespace mlir;

namespace sparsec::cpu {

/// Of a rank-1 tile; nothing where the view is not there.
void KernelEmitter::storeVector(tile::StoreOp store) {
  const View &view = views.of(store.getView());
  const RowTable &rows = positions.of(store.getRows());
  const Storage &from = operand(store, store.getValue());
  SmallVector<llvm::Value *> indices;
  for (Value index : store.getIndices())
    indices.push_back(frame.scalar(index));
  auto [first, last] = sliceOf(dims.laneClass(store.getValue()), rows.size, 1);
  auto oneByOne = [&, first = first, last = last] {
    code.loop(first, last, 1, [&](llvm::Value *row) {
      llvm::Value *position =
          code.loadAs(code.getInt32Ty(), code.at(rows.positions, code.CreateMul(row, code.i64(4))));
      code.branch(code.CreateICmpULT(position, rows.length), [&] {
        llvm::Value *value = code.loadAs(from.type, tiles.elementPointer(from, row, nullptr), 1);
        code.storeTo(toMemory(code, value, view.type),
                     views.rowPointer(view, indices, rows, row, position), 1);
      });
    });
  };
  auto sideBySide = [&] {
    llvm::Value *to = views.rowPointer(view, indices, rows, code.i64(0), rows.first);
    int width = from.shape.vector;
    views.overStretch(positions.stretchOf(rows), width, [&](llvm::Value *at, llvm::Value *mask) {
      llvm::Value *value =
          code.loadAs(code.vectorOf(from.type, width), tiles.elementPointer(from, at, nullptr), 4);
      value = toMemory(code, value, view.type);
      llvm::Value *place = code.at(to, code.CreateMul(at, code.i64(bytesOf(view.element))));
      mask ? void(code.CreateMaskedStore(value, place, llvm::Align(1), mask))
           : code.storeTo(value, place, 1);
    });
  };
  code.branch(code.CreateIsNotNull(view.base),
              [&] { plan.stores.find(store)->second.sideBySide ? sideBySide() : oneByOne(); });
}

/// Whether a store that may stream passes the caches: it saves reading the lines first, a third of
/// the traffic of a copy, where the whole matrix would push everything else out of them. Every row
/// has to begin with a line.
llvm::Value *KernelEmitter::streams(tile::StoreOp store, const Stretch &columns) {
  constexpr int64_t kMostCached = 16 << 20, kLine = 64;
  const View &view = views.of(store.getView());
  if (!plan.stores.find(store)->second.streams)
    return nullptr;
  hasStreams = true;
  int64_t bytes = bytesOf(view.element);
  const RowTable &rows = positions.of(store.getRows());
  llvm::Value *pitch = code.CreateMul(view.strides[0], code.i64(bytes));
  llvm::Value *size = code.CreateMul(code.wide(rows.length), pitch);
  llvm::Value *begin = code.CreatePtrToInt(view.base, code.getInt64Ty());
  if (columns.first)
    begin = code.CreateAdd(begin, code.CreateMul(columns.first, code.i64(bytes)));
  llvm::Value *odd = code.CreateAnd(code.CreateOr(begin, pitch), code.i64(kLine - 1));
  return code.CreateAnd(code.CreateICmpSGT(size, code.i64(kMostCached)),
                        code.CreateICmpEQ(odd, code.i64(0)));
}

/// Vectors side by side in one row of memory from `column` on, as far as there are columns.
template <class Op>
void KernelEmitter::writeLanes(Op store, const StorePlace &to, llvm::Value *row,
                               llvm::Value *column, ArrayRef<llvm::Value *> values) {
  const View &view = views.of(store.getView());
  int width = int(cast<llvm::FixedVectorType>(values.front()->getType())->getNumElements());
  int64_t bytes = bytesOf(view.element);
  llvm::Type *vector = code.vectorOf(view.element, width);
  llvm::Value *start =
      code.loadAs(code.getPtrTy(), code.at(to.pointers, code.CreateMul(row, code.i64(8))), 8);
  start = code.at(start, code.CreateMul(column, code.i64(bytes)));
  bool streaming = false;
  auto storeWhole = [&](llvm::Value *value, llvm::Value *place) {
    if (!streaming)
      return code.storeTo(value, place, 1);
    auto *one = llvm::ConstantAsMetadata::get(code.getInt32(1));
    code.CreateAlignedStore(value, place, llvm::Align(width * bytes))
        ->setMetadata(llvm::LLVMContext::MD_nontemporal,
                      llvm::MDNode::get(code.getContext(), {one}));
  };
  auto write = [&](bool masked) {
    for (auto [part, given] : llvm::enumerate(values)) {
      llvm::Value *value = given;
      int64_t skip = int64_t(part) * width;
      llvm::Value *place = code.at(start, skip * bytes);
      llvm::Value *mask =
          masked ? views.maskOf(to.columns, code.CreateAdd(column, code.i64(skip)), width)
                 : nullptr;
      if (isa<tile::AccumulateOp>(store.getOperation()))
        value = code.CreateFAdd(fromMemory(code, views.loadMasked(vector, place, mask), view.type),
                                value);
      value = toMemory(code, value, view.type);
      mask ? void(code.CreateMaskedStore(value, place, llvm::Align(1), mask))
           : storeWhole(value, place);
    }
  };
  auto writeWhole = [&] {
    if (!to.streams)
      return write(false);
    code.branch(
        to.streams, [&] { streaming = true, write(false), streaming = false; },
        [&] { write(false); });
  };
  if (!to.columns.live) {
    writeWhole();
    return;
  }
  llvm::Value *end = code.CreateAdd(column, code.i64(int64_t(values.size()) * width));
  code.branch(code.CreateICmpSLE(end, to.columns.live), writeWhole, [&] { write(true); });
}

/// Of one panel of a matrix. Rows that do not exist go to a place that nobody reads.
template <class Op>
void KernelEmitter::emitStore(Op store, Cell &panel) {
  const StorePlace &to = storePlaces[store];
  RankedTensorType type = tileType(store.getValue());
  int width = panel.shape.vector;
  if (panel.laneDim == 1) {
    llvm::Value *column = code.CreateMul(panel.panel, code.i64(panel.shape.panel));
    code.loop(code.i64(0), code.i64(type.getDimSize(0)), 1, [&](llvm::Value *row) {
      Cell cell = panel;
      cell.row = row;
      writeLanes(store, to, row, column, lanes(store.getValue(), cell));
    });
    return;
  }
  code.loop(code.i64(0), code.i64(type.getDimSize(1)), width, [&](llvm::Value *column) {
    SmallVector<LaneVectors> rows;
    for (int i = 0; i < width; ++i) {
      Cell cell = panel;
      cell.row = code.CreateAdd(column, code.i64(i));
      rows.push_back(lanes(store.getValue(), cell));
    }
    for (int part = 0; part < panel.shape.parts(); ++part) {
      SmallVector<llvm::Value *> square;
      for (const LaneVectors &row : rows)
        square.push_back(row[part]);
      for (auto [lane, value] : llvm::enumerate(code.transpose(square))) {
        llvm::Value *row = code.CreateAdd(code.CreateMul(panel.panel, code.i64(panel.shape.panel)),
                                          code.i64(part * width + int64_t(lane)));
        writeLanes(store, to, row, column, value);
      }
    }
  });
}

template void KernelEmitter::emitStore(tile::StoreOp, Cell &);
template void KernelEmitter::emitStore(tile::AccumulateOp, Cell &);
template void KernelEmitter::writeLanes(tile::StoreOp, const StorePlace &, llvm::Value *,
                                        llvm::Value *, ArrayRef<llvm::Value *>);
template void KernelEmitter::writeLanes(tile::AccumulateOp, const StorePlace &, llvm::Value *,
                                        llvm::Value *, ArrayRef<llvm::Value *>);

} // namespace sparsec::cpu
