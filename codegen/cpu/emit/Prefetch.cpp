// The next block of keys, while a kernel computes with this one.
//
//   block j      panel 0   panel 1   panel 2   panel 3
//   block j + 1  1st       2nd       3rd       4th quarter of each row, asked of memory
//
// The first panel that passes over a block reads it from the third-level cache or from memory, a
// few cache lines of each row at a time, too short for the machine to foresee. So each register
// tile of a product asks for its rows' share of the next block: a few instructions among hundreds.
// Only where the next rows are as far from these as one block from the next, in natural order; an
// address that is not there does no harm.
#include "codegen/cpu/emit/Emitter.h"

using namespace mlir;

namespace sparsec::cpu {

static constexpr int64_t kLine = 64;

NextBlock KernelEmitter::nextBlock(tile::LoadOp load, llvm::Value *pointers) {
  if (!plan.loads.find(load)->second.nextBlock)
    return {};
  auto rows = flow.resolve(load.getRows()).getDefiningOp<tile::RowsOp>();
  const View &view = views.of(load.getView());
  if (!fold.toNext) { // 0 in the last step
    llvm::Value *next = code.CreateAdd(fold.index, code.i64(1));
    next = code.CreateSelect(code.CreateICmpSLT(next, fold.end), next, fold.index);
    fold.toNext = code.CreateSub(positions.blockColumn(fold.op.getBlocks(), next),
                                 frame.scalars[fold.op.getBlockIndex()]);
  }
  tile::RowsType type = rows.getRows().getType();
  llvm::Value *tokens =
      code.CreateMul(code.wide(fold.toNext), code.i64(type.getSize() / type.getHeads()));
  llvm::Value *elements = code.CreateMul(tokens, view.strides.back());
  int64_t size = bytesOf(view.element);
  return {pointers, code.CreateMul(elements, code.i64(size)), load.getType().getDimSize(1) * size};
}

/// What a register tile of `count` rows from `row` on asks for. The tiles of a product share the
/// rows of its operand in memory, and the panels share each row.
void KernelEmitter::prefetch(const Sweep &sweep, const Cell &panel, llvm::Value *row, int count) {
  const Product &product = plan.products.find(sweep.dot)->second;
  const NextBlock &next = tiles.at(product.broadcast).next;
  if (!next.bytes)
    return;
  ArrayRef<int64_t> shape = tileType(product.operands.broadcast).getShape();
  int64_t each = (shape[0] + sweep.rows - 1) / sweep.rows; // rows of memory for one of the sweep
  int64_t share = next.rowBytes / panel.shape.panels();
  llvm::Value *skip = code.CreateAdd(next.bytes, code.CreateMul(panel.panel, code.i64(share)));
  llvm::Value *first = code.CreateMul(row, code.i64(each)), *last = code.i64(shape[0] - 1);
  bool mayPass = each * sweep.rows > shape[0];
  for (int64_t i = 0; i < count * each; ++i) {
    llvm::Value *at = code.CreateAdd(first, code.i64(i));
    if (mayPass)
      at = code.least(at, last);
    llvm::Value *entry = code.at(next.pointers, code.CreateMul(at, code.i64(8)));
    llvm::Value *begin = code.at(code.loadAs(code.getPtrTy(), entry, 8), skip);
    for (int64_t line = 0; line < share; line += kLine)
      code.askFor(code.at(begin, line), /*firstLevel=*/false);
  }
}

/// While a row is written, which is the last that is done to it: the same part of the row that the
/// next work item reads in its place. Workers take runs of items.
void KernelEmitter::prefetchNextItem(const Group &group, const Cell &cell) {
  for (int place : group.nextItem) {
    const Storage &from = tiles.at(place);
    llvm::Value *begin = tiles.lanesPointer(from, cell.panel, cell.row, cell.shape.panel);
    begin = code.at(begin, from.toNextItem);
    for (int64_t line = 0; line < cell.shape.panel * bytesOf(from.type); line += kLine)
      code.askFor(code.at(begin, line), /*firstLevel=*/false);
  }
}

/// While a part of a row is copied: the part that comes a few rows later, too far away for the
/// machine to foresee. Behind the last ones the table holds anything.
void KernelEmitter::prefetchRow(llvm::Value *pointers, llvm::Value *row, int64_t bytes) {
  llvm::Value *entry = code.at(pointers, code.CreateMul(row, code.i64(8)));
  llvm::Value *begin = code.loadAs(code.getPtrTy(), code.at(entry, 8 * Views::kRowsAhead), 8);
  for (int64_t line = 0; line < bytes; line += kLine)
    code.askFor(code.at(begin, line));
}

} // namespace sparsec::cpu
