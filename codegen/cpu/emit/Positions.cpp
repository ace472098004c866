#include "codegen/cpu/emit/Positions.h"

#include "codegen/common/FormRow.h"
#include "codegen/common/LatticeTile.h"
#include "codegen/common/WorkRow.h"
#include "dialect/Orders.h"

using namespace mlir;

namespace sparsec::cpu {

using tile::OrderKind;

//===-- Work ----------------------------------------------------------------------------------===//

/// The grid of GPUs: x in row order, y a head of the entry, z a batch. Without an order the caller
/// chooses the rows.
void Positions::emitWork(tile::WorkOp op) {
  llvm::Value *x = frame.function->getArg(1), *y = frame.function->getArg(2),
              *z = frame.function->getArg(3);
  if (op.getKind() == tile::WorkKind::Range) {
    frame.scalars[op.getResult(0)] = x;
    return;
  }
  if (sliceRow)
    x = sliceRow;
  bool groups = op.getKind() == tile::WorkKind::Groups;
  auto fieldOf = [&](LayoutField which) { return frame.field(which); };
  WorkRow work(code, fieldOf, groups ? code.i32(0) : y); // groups share the order of the first head
  llvm::Value *chosen = frame.onStack(1);
  code.storeTo(x, chosen);
  code.branch(code.CreateIsNotNull(work.order()), [&] { code.storeTo(work.inOrder(x), chosen); });
  llvm::Value *row = code.number(chosen, 0);
  frame.scalars[op.getResult(0)] = z;
  if (groups) {
    frame.scalars[op.getResult(1)] = y;
    frame.scalars[op.getResult(2)] = row;
    return;
  }
  frame.scalars[op.getResult(1)] = work.head(fieldOf);
  frame.scalars[op.getResult(2)] = row;
  frame.scalars[op.getResult(3)] = work.tableRow(row);
}

//===-- Rows ----------------------------------------------------------------------------------===//

void Positions::storePosition(const RowTable &rows, llvm::Value *row, llvm::Value *position) {
  code.storeTo(position, code.at(rows.positions, code.CreateMul(row, code.i64(4))));
}

void Positions::emitRows(tile::RowsOp op) {
  tile::RowsType type = op.getRows().getType();
  RowTable rows{frame.allocate(type.getSize() * 4), frame.scalar(op.getLength()), type.getSize(),
                type.getHeads()};
  if (type.getOrder() == OrderKind::Natural && type.getHeads() == 1)
    rows.first = code.CreateMul(frame.scalar(op.getTile()), code.getInt32(uint32_t(rows.size)));
  if (type.getOrder() == OrderKind::Natural)
    emitNaturalRows(op, rows);
  else if (type.getOrder() == OrderKind::Table)
    emitTableRows(op, rows);
  else
    emitLatticeRows(op, rows);
  rowTables[op.getRows()] = rows;
}

void Positions::emitNaturalRows(tile::RowsOp op, const RowTable &rows) {
  llvm::Value *first =
      code.CreateMul(frame.scalar(op.getTile()), code.getInt32(uint32_t(rows.size / rows.heads)));
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

void Positions::emitTableRows(tile::RowsOp op, const RowTable &rows) {
  llvm::Value *first =
      code.wide(code.CreateMul(frame.scalar(op.getTile()), code.getInt32(uint32_t(rows.size))));
  llvm::Value *table = code.at(frame.scalar(op.getNumbers()), code.CreateMul(first, code.i64(4)));
  code.loop(code.i64(0), code.i64(rows.size), 1, [&](llvm::Value *row) {
    storePosition(rows, row, code.number(code.at(table, code.CreateMul(row, code.i64(4))), 0));
  });
}

void Positions::emitLatticeRows(tile::RowsOp op, const RowTable &rows) {
  OrderShape shape = shapeOf(op.getRows().getType().getOrder());
  LatticeTile tile(code, shape, frame.scalar(op.getNumbers()), frame.scalar(op.getTile()),
                   rows.size);
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
void Positions::emitRowsBy(tile::RowsByOp op) {
  int64_t size = op.getRows().getType().getSize();
  RowTable rows{frame.allocate(size * 4), code.getInt32(kNoPosition), size, 1};
  llvm::Value *base = frame.scalar(op.getBase()), *count0 = frame.scalar(op.getCount0());
  llvm::Value *pitch0 = frame.scalar(op.getPitch0()), *pitch1 = frame.scalar(op.getPitch1());
  llvm::Value *count1 = frame.scalar(op.getCount1());
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

void Positions::emitRowsAt(tile::RowsAtOp op, const Storage &from, TileMemory &tiles) {
  int64_t size = op.getRows().getType().getSize();
  RowTable rows{frame.allocate(size * 4), code.getInt32(kNoPosition), size, 1};
  llvm::Value *count = code.wide(frame.scalar(op.getCount()));
  code.loop(code.i64(0), code.i64(size), 1, [&](llvm::Value *row) {
    llvm::Value *position =
        code.loadAs(code.getInt32Ty(), tiles.elementPointer(from, row, nullptr), 4);
    storePosition(
        rows, row,
        code.CreateSelect(code.CreateICmpSLT(row, count), position, code.getInt32(kNoPosition)));
  });
  rowTables[op.getRows()] = rows;
}

//===-- Block lists ---------------------------------------------------------------------------===//

void Positions::tableBounds(tile::BlocksOp op, const BlockList &list) {
  llvm::Value *start = code.at(frame.field(kOffsets),
                               code.CreateMul(code.wide(frame.scalar(op.getRow())), code.i64(8)));
  for (int i = 0; i < 3; ++i)
    code.storeTo(code.number(start, i), code.at(list.bounds, 4 * i));
}

void Positions::formBounds(tile::BlocksOp op, const BlockList &list, llvm::Value *forms) {
  auto fieldOf = [&](LayoutField which) { return frame.field(which); };
  // The head's place in the launch: that of the work item, or of the group's head.
  auto ofHead = flow.resolve(op.getRow()).getDefiningOp<tile::LayoutRowOp>();
  llvm::Value *head = ofHead ? frame.scalar(ofHead.getPlace()) : frame.function->getArg(2);
  FormRow row = formRow(code, fieldOf, forms, head, frame.scalar(op.getRow()));
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

void Positions::emitBlocks(tile::BlocksOp op) {
  BlockList list{frame.onStack(3), frame.onStack(3 * RowBlocks::kRuns)};
  llvm::Value *forms = frame.field(kRowForms);
  code.branch(
      code.CreateIsNull(forms), [&] { tableBounds(op, list); },
      [&] { formBounds(op, list, forms); });
  if (!op.getSlice().empty())
    sliceBounds(op, list);
  blockLists[op.getBlocks()] = list;
}

/// The bounds of one part of the list.
void Positions::sliceBounds(tile::BlocksOp op, const BlockList &list) {
  auto bound = [&](int i) { return code.number(list.bounds, i); };
  llvm::Value *begin = bound(0), *part = frame.scalar(op.getSlice()[0]),
              *parts = frame.scalar(op.getSlice()[1]);
  llvm::Value *count = code.subtract(bound(2), begin);
  auto place = [&](llvm::Value *at) {
    return code.add(begin, code.CreateUDiv(code.multiply(count, at), parts));
  };
  llvm::Value *from = place(part), *to = place(code.add(part, code.i32(1)));
  llvm::Value *middle = code.least(code.most(bound(1), from), to);
  for (auto [i, value] : llvm::enumerate(std::array{from, middle, to}))
    code.storeTo(value, code.at(list.bounds, 4 * int64_t(i)));
}

/// Where a list of blocks begins and ends, as indices for blockColumn().
std::pair<llvm::Value *, llvm::Value *> Positions::blockBounds(Value blocks) {
  blocks = flow.resolve(blocks);
  if (auto range = blocks.getDefiningOp<tile::RangeOp>())
    return {code.wide(frame.scalar(range.getLow())), code.wide(frame.scalar(range.getHigh()))};
  tile::BlockSet set = blocks.getDefiningOp<tile::BlocksOp>().getSet();
  auto bound = [&](int i) { return code.wide(code.number(blockLists[blocks].bounds, i)); };
  return {bound(set == tile::BlockSet::Full ? 1 : 0),
          bound(set == tile::BlockSet::Partial ? 1 : 2)};
}

/// Where the partial ones of a list of all blocks end.
llvm::Value *Positions::endOfPartial(Value blocks) {
  return code.wide(code.number(blockLists[flow.resolve(blocks)].bounds, 1));
}

llvm::Value *Positions::blockColumn(Value blocks, llvm::Value *index) {
  blocks = flow.resolve(blocks);
  llvm::Value *place = code.CreateTrunc(index, code.getInt32Ty());
  if (blocks.getDefiningOp<tile::RangeOp>())
    return place;
  llvm::Value *runs = blockLists[blocks].runs;
  llvm::Value *column = frame.onStack(1);
  auto fromTable = [&] {
    llvm::Value *entry = code.at(frame.field(kColumns), code.multiply(index, 4));
    code.storeTo(code.number(entry, 0), column);
  };
  auto fromForm = [&] {
    auto endOf = [&](int run) { return code.number(runs, 3 * run + 2); };
    auto offsetOf = [&](int run) { return std::array{code.i64(12 * run)}; };
    llvm::Value *run = code.at(runs, ofRunAt(code, place, endOf, offsetOf)[0]);
    llvm::Value *first = code.number(run, 0), *step = code.number(run, 1);
    code.storeTo(code.add(first, code.multiply(place, step)), column);
  };
  code.branch(code.isNull(frame.field(kRowForms)), fromTable, fromForm);
  return code.number(column, 0);
}

//===-- Stretches -----------------------------------------------------------------------------===//

Stretch Positions::stretchOf(const RowTable &rows) {
  llvm::Value *first = code.wide(rows.first), *size = code.i64(rows.size);
  llvm::Value *left = code.CreateSub(code.wide(rows.length), first);
  llvm::Value *live = code.most(code.least(left, size), code.i64(0));
  // Where LLVM 22 sees that a store's mask leaves one lane of 16 bits that were truncated, it
  // writes the 32 bits.
  auto *known = dyn_cast<llvm::ConstantInt>(live);
  return {first, known && known->getSExtValue() < rows.size ? code.unknown(live) : live, rows.size};
}

/// The columns of a load or store, which follow one by one; all of `size` where none are named.
Stretch Positions::columnsOf(Value columns, int64_t size) {
  return columns ? stretchOf(rowTables[flow.resolve(columns)]) : Stretch{.size = size};
}

} // namespace sparsec::cpu
