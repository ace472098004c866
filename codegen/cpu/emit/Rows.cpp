// Which rows a work item has, in any token order (layout/OrderNumbers.h), and which blocks are live
// in its row, from tables or a closed form (layout/ClosedForm.h).
#include "codegen/cpu/emit/Emitter.h"

#include "codegen/common/FormRow.h"
#include "codegen/common/LatticeTile.h"
#include "codegen/common/WorkRow.h"
#include "dialect/Orders.h"

using namespace mlir;

namespace sparsec::cpu {

using tile::OrderKind;

/// Room for a few 32-bit integers that two ways of the code fill.
llvm::Value *KernelEmitter::onStack(int integers) {
  llvm::IRBuilder<>::InsertPointGuard guard(code);
  code.SetInsertPoint(&function->getEntryBlock(), function->getEntryBlock().begin());
  return code.CreateAlloca(llvm::ArrayType::get(code.getInt32Ty(), integers));
}

//===-- Work ----------------------------------------------------------------------------------===//

/// The grid of GPUs: x in row order, y a head of the entry, z a batch. Without an order the caller
/// chooses the rows.
void KernelEmitter::emitWork(tile::WorkOp op) {
  llvm::Value *x = function->getArg(1), *y = function->getArg(2), *z = function->getArg(3);
  if (op.getKind() == tile::WorkKind::Range) {
    scalars[op.getResult(0)] = x;
    return;
  }
  if (slice.row)
    x = slice.row;
  bool groups = op.getKind() == tile::WorkKind::Groups;
  auto fieldOf = [&](LayoutField which) { return field(which); };
  WorkRow work(code, fieldOf, groups ? code.i32(0) : y); // groups share the order of the first head
  llvm::Value *chosen = onStack(1);
  code.storeTo(x, chosen);
  code.branch(code.CreateIsNotNull(work.order()), [&] { code.storeTo(work.inOrder(x), chosen); });
  llvm::Value *row = code.number(chosen, 0);
  scalars[op.getResult(0)] = z;
  if (groups) {
    scalars[op.getResult(1)] = y;
    scalars[op.getResult(2)] = row;
    return;
  }
  scalars[op.getResult(1)] = work.head(fieldOf);
  scalars[op.getResult(2)] = row;
  scalars[op.getResult(3)] = work.tableRow(row);
}

//===-- Rows ----------------------------------------------------------------------------------===//

void KernelEmitter::storePosition(const RowTable &rows, llvm::Value *row, llvm::Value *position) {
  code.storeTo(position, code.at(rows.positions, code.CreateMul(row, code.i64(4))));
}

void KernelEmitter::emitRows(tile::RowsOp op) {
  tile::RowsType type = op.getRows().getType();
  RowTable rows{allocate(type.getSize() * 4), scalar(op.getLength()), type.getSize(),
                type.getHeads()};
  if (type.getOrder() == OrderKind::Natural && type.getHeads() == 1)
    rows.first = code.CreateMul(scalar(op.getTile()), code.getInt32(uint32_t(rows.size)));
  if (type.getOrder() == OrderKind::Natural)
    emitNaturalRows(op, rows);
  else if (type.getOrder() == OrderKind::Table)
    emitTableRows(op, rows);
  else
    emitLatticeRows(op, rows);
  rowTables[op.getRows()] = rows;
}

void KernelEmitter::emitNaturalRows(tile::RowsOp op, const RowTable &rows) {
  llvm::Value *first =
      code.CreateMul(scalar(op.getTile()), code.getInt32(uint32_t(rows.size / rows.heads)));
  int width = rows.heads > 1 ? 1 : code.level.vector;
  code.loop(code.i64(0), code.i64(rows.size), width, [&](llvm::Value *row) {
    llvm::Value *step = code.CreateTrunc(row, code.getInt32Ty());
    if (rows.heads > 1)
      step = code.CreateUDiv(step, code.getInt32(uint32_t(rows.heads)));
    llvm::Value *position = code.CreateAdd(first, step);
    if (width > 1)
      position = code.CreateAdd(code.CreateVectorSplat(width, position), code.iota(width));
    storePosition(rows, row, position);
  });
}

void KernelEmitter::emitTableRows(tile::RowsOp op, const RowTable &rows) {
  llvm::Value *first =
      code.wide(code.CreateMul(scalar(op.getTile()), code.getInt32(uint32_t(rows.size))));
  llvm::Value *table = code.at(scalar(op.getNumbers()), code.CreateMul(first, code.i64(4)));
  code.loop(code.i64(0), code.i64(rows.size), 1, [&](llvm::Value *row) {
    storePosition(rows, row, code.number(code.at(table, code.CreateMul(row, code.i64(4))), 0));
  });
}

void KernelEmitter::emitLatticeRows(tile::RowsOp op, const RowTable &rows) {
  OrderShape shape = shapeOf(op.getRows().getType().getOrder());
  LatticeTile tile(code, shape, scalar(op.getNumbers()), scalar(op.getTile()), rows.size);
  code.loop(code.i64(0), code.i64(rows.size), 1, [&](llvm::Value *row) {
    llvm::Value *entry = code.at(tile.table, code.CreateMul(row, code.i64(8)));
    llvm::Value *step = code.number(entry, 0), *digits = code.number(entry, 1);
    LatticeRow here = latticeRow(code, tile.first, tile.counts, step, digits);
    llvm::Value *exists = code.bitAnd(here.inside, tile.some);
    exists = code.bitAnd(exists, code.below(here.position, rows.length));
    storePosition(rows, row, code.select(exists, here.position, code.i32(kNoPosition)));
  });
}

/// Rows past the last digit get the one position that no length reaches.
void KernelEmitter::emitRowsBy(tile::RowsByOp op) {
  int64_t size = op.getRows().getType().getSize();
  RowTable rows{allocate(size * 4), code.getInt32(kNoPosition), size, 1};
  llvm::Value *base = scalar(op.getBase()), *count0 = scalar(op.getCount0());
  llvm::Value *pitch0 = scalar(op.getPitch0()), *pitch1 = scalar(op.getPitch1());
  llvm::Value *count1 = scalar(op.getCount1());
  llvm::Value *divisor =
      code.CreateSelect(code.CreateICmpEQ(count1, code.getInt32(0)), code.getInt32(1), count1);
  llvm::Value *count = code.CreateMul(count0, count1);
  code.loop(code.i64(0), code.i64(size), 1, [&](llvm::Value *row) {
    llvm::Value *r = code.CreateTrunc(row, code.getInt32Ty());
    llvm::Value *position =
        code.CreateAdd(base, code.CreateAdd(code.CreateMul(code.CreateUDiv(r, divisor), pitch0),
                                            code.CreateMul(code.CreateURem(r, divisor), pitch1)));
    storePosition(
        rows, row,
        code.CreateSelect(code.CreateICmpULT(r, count), position, code.getInt32(kNoPosition)));
  });
  rowTables[op.getRows()] = rows;
}

void KernelEmitter::emitRowsAt(tile::RowsAtOp op) {
  int64_t size = op.getRows().getType().getSize();
  RowTable rows{allocate(size * 4), code.getInt32(kNoPosition), size, 1};
  const Storage &from = operand(op, op.getPositions());
  llvm::Value *count = code.wide(scalar(op.getCount()));
  code.loop(code.i64(0), code.i64(size), 1, [&](llvm::Value *row) {
    llvm::Value *position = code.loadAs(code.getInt32Ty(), elementPointer(from, row, nullptr), 4);
    storePosition(
        rows, row,
        code.CreateSelect(code.CreateICmpSLT(row, count), position, code.getInt32(kNoPosition)));
  });
  rowTables[op.getRows()] = rows;
}

//===-- Block lists ---------------------------------------------------------------------------===//

void KernelEmitter::tableBounds(tile::BlocksOp op, const BlockList &list) {
  llvm::Value *start =
      code.at(field(kOffsets), code.CreateMul(code.wide(scalar(op.getRow())), code.i64(8)));
  for (int i = 0; i < 3; ++i)
    code.storeTo(code.number(start, i), code.at(list.bounds, 4 * i));
}

void KernelEmitter::formBounds(tile::BlocksOp op, const BlockList &list, llvm::Value *forms) {
  auto fieldOf = [&](LayoutField which) { return field(which); };
  // The head's place in the launch: that of the work item, or of the group's head.
  auto ofHead = flow.resolve(op.getRow()).getDefiningOp<tile::LayoutRowOp>();
  llvm::Value *head = ofHead ? scalar(ofHead.getPlace()) : function->getArg(2);
  FormRow row = formRow(code, fieldOf, forms, head, scalar(op.getRow()));
  llvm::Value *zero = code.i32(0);
  code.loop(code.i64(0), code.i64(RowBlocks::kRuns), 1, {zero},
            [&](llvm::Value *index, ArrayRef<llvm::Value *> before) -> Code::Values {
              auto numbers = code.at(row.runs(), code.multiply(index, 4 * ClosedForm::kRun));
              auto run = row.run(numbers, before.front());
              llvm::Value *place = code.at(list.runs, code.CreateMul(index, code.i64(12)));
              for (auto [i, value] : llvm::enumerate(std::array{run.first, run.step, run.end}))
                code.storeTo(value, code.at(place, 4 * int64_t(i)));
              return {run.end};
            });
  auto endOf = [&](int run) { return code.number(list.runs, 3 * run + 2); };
  code.storeTo(zero, list.bounds);
  code.storeTo(endOf(RowBlocks::kPartial - 1), code.at(list.bounds, 4));
  code.storeTo(endOf(RowBlocks::kRuns - 1), code.at(list.bounds, 8));
}

void KernelEmitter::emitBlocks(tile::BlocksOp op) {
  BlockList list{onStack(3), onStack(3 * RowBlocks::kRuns)};
  llvm::Value *forms = field(kRowForms);
  code.branch(
      code.CreateIsNull(forms), [&] { tableBounds(op, list); },
      [&] { formBounds(op, list, forms); });
  blockLists[op.getBlocks()] = list;
}

/// Where a list of blocks begins and ends, as indices for blockColumn().
std::pair<llvm::Value *, llvm::Value *> KernelEmitter::blockBounds(Value blocks) {
  blocks = flow.resolve(blocks);
  if (auto range = blocks.getDefiningOp<tile::RangeOp>())
    return {code.wide(scalar(range.getLow())), code.wide(scalar(range.getHigh()))};
  tile::BlockSet set = blocks.getDefiningOp<tile::BlocksOp>().getSet();
  auto bound = [&](int i) { return code.wide(code.number(blockLists[blocks].bounds, i)); };
  return {bound(set == tile::BlockSet::Full ? 1 : 0),
          bound(set == tile::BlockSet::Partial ? 1 : 2)};
}

/// Where the partial ones of a list of all blocks end.
llvm::Value *KernelEmitter::endOfPartial(Value blocks) {
  return code.wide(code.number(blockLists[flow.resolve(blocks)].bounds, 1));
}

llvm::Value *KernelEmitter::blockColumn(Value blocks, llvm::Value *index) {
  blocks = flow.resolve(blocks);
  llvm::Value *place = code.CreateTrunc(index, code.getInt32Ty());
  if (blocks.getDefiningOp<tile::RangeOp>())
    return place;
  llvm::Value *runs = blockLists[blocks].runs;
  llvm::Value *column = onStack(1);
  auto fromTable = [&] {
    llvm::Value *entry = code.at(field(kColumns), code.multiply(index, 4));
    code.storeTo(code.number(entry, 0), column);
  };
  auto fromForm = [&] {
    auto endOf = [&](int run) { return code.number(runs, 3 * run + 2); };
    auto offsetOf = [&](int run) { return std::array{code.i64(12 * run)}; };
    llvm::Value *run = code.at(runs, ofRunAt(code, place, endOf, offsetOf)[0]);
    llvm::Value *first = code.number(run, 0), *step = code.number(run, 1);
    code.storeTo(code.add(first, code.multiply(place, step)), column);
  };
  code.branch(code.isNull(field(kRowForms)), fromTable, fromForm);
  return code.number(column, 0);
}

} // namespace sparsec::cpu
