#include "codegen/cpu/emit/Views.h"

using namespace mlir;

namespace sparsec::cpu {

/// The lanes of a vector at `at` that exist.
llvm::Value *Views::maskOf(const Stretch &stretch, llvm::Value *at, int width) {
  llvm::Value *left = code.CreateTrunc(code.CreateSub(stretch.live, at), code.getInt32Ty());
  return code.CreateICmpSLT(code.iota(width), code.CreateVectorSplat(width, left));
}

/// 0 in the other lanes, whose memory is not read.
llvm::Value *Views::loadMasked(llvm::Type *type, llvm::Value *pointer, llvm::Value *mask) {
  return mask ? code.CreateMaskedLoad(type, pointer, llvm::Align(1), mask,
                                      llvm::Constant::getNullValue(type))
              : code.loadAs(type, pointer, 1);
}

/// Vector by vector: without a mask where all lanes exist; those without any lane are left out.
void Views::overStretch(const Stretch &stretch, int width, AtLanes body) {
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
void Views::padRows(const View &view, llvm::Value *pointers, int64_t rows, const Stretch &columns) {
  int64_t bytes = bytesOf(view.element);
  int width = frame.plan.panels.shape(columns.size).vector;
  int64_t stride = columns.size * bytes + 64; // not all in one set of the cache
  llvm::Value *copies = frame.allocate(rows * stride);
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

/// Of a position, or of a vector of them; of which row matters only where tokens have several.
llvm::Value *Views::rowPointer(const View &view, ArrayRef<llvm::Value *> indices,
                               const RowTable &rows, llvm::Value *row, llvm::Value *position) {
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
llvm::Value *Views::rowPointers(const View &view, ValueRange indices, Value rowsValue,
                                llvm::Value *missing, llvm::Value *firstColumn) {
  const RowTable &rows = positions.of(rowsValue);
  SmallVector<llvm::Value *> at;
  for (Value index : indices)
    at.push_back(frame.scalar(index));
  View from = view;
  if (firstColumn)
    from.base = code.at(view.base, code.CreateMul(firstColumn, code.i64(bytesOf(view.element))));
  llvm::Value *table = frame.allocate((rows.size + kRowsAhead) * 8);
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
