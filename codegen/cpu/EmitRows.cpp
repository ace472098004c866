// Which rows a work item has, in any token order (layout/OrderNumbers.h), and which blocks are live
// in its row, from tables or a closed form (layout/ClosedForm.h).
#include "codegen/cpu/Emitter.h"

#include "codegen/Orders.h"
#include "layout/ClosedForm.h"

using namespace mlir;

namespace sparsec::cpu {

using namespace order_numbers;
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
  llvm::Value *firstRow = code.CreateMul(y, field("layout_stride"));
  llvm::Value *order = field("row_order");
  llvm::Value *row = onStack(1);
  code.storeTo(x, row);
  code.branch(code.CreateIsNotNull(order), [&] {
    llvm::Value *place = code.wide(code.CreateAdd(firstRow, x));
    code.storeTo(code.number(code.at(order, code.CreateMul(place, code.i64(4))), 0), row);
  });
  llvm::Value *chosen = code.number(row, 0);
  scalars[op.getResult(0)] = z;
  scalars[op.getResult(1)] =
      code.CreateAdd(field("head_first"), code.CreateMul(y, field("head_step")));
  scalars[op.getResult(2)] = chosen;
  scalars[op.getResult(3)] = code.CreateAdd(firstRow, chosen);
}

//===-- Rows ----------------------------------------------------------------------------------===//

void KernelEmitter::storePosition(const RowTable &rows, llvm::Value *row, llvm::Value *position) {
  code.storeTo(position, code.at(rows.positions, code.CreateMul(row, code.i64(4))));
}

void KernelEmitter::emitRows(tile::RowsOp op) {
  tile::RowsType type = op.getRows().getType();
  RowTable rows{allocate(type.getSize() * 4), scalar(op.getLength()), type.getSize(),
                type.getHeads()};
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

namespace {

/// A tile of a lattice: where it begins, and how many coordinates each axis has (a byte each, less
/// one).
struct LatticeTile {
  llvm::Value *first, *counts, *some;
};

LatticeTile takeApart(Code &code, OrderKind kind, llvm::Value *lattice, llvm::Value *tile) {
  auto number = [&](int index) { return code.number(lattice, index); };
  std::span<const Digit> digits = digitsOf(shapeOf(kind));
  std::array<llvm::Value *, 3> from = {}, inBox = {}; // null: 0
  llvm::Value *rest = tile;
  for (size_t i = digits.size(); i-- > 0;) {
    auto [at, part] = digits[i];
    llvm::Value *digit = rest;
    if (i > 0)
      std::tie(rest, digit) =
          code.divideBy(rest, code.at(lattice, 4 * (axis(at) + (part ? kParts : kBoxes))));
    llvm::Value *step = code.CreateMul(digit, number(axis(at) + (part ? kCut : kBox)));
    if (part)
      inBox[at] = step;
    from[at] = from[at] ? code.CreateAdd(from[at], step) : step;
  }
  llvm::Value *first = number(kBase), *counts = code.getInt32(0), *fewest = nullptr;
  for (int at = 0; at < 3; ++at) {
    if (!from[at])
      continue;
    first = code.CreateAdd(first, code.CreateMul(from[at], number(axis(at) + kPitch)));
    llvm::Value *count =
        code.least(number(axis(at) + kCut), code.CreateSub(number(axis(at) + kExtent), from[at]));
    if (llvm::count_if(digits, [&](Digit digit) { return digit.axis == at; }) == 2)
      count = code.least(count, code.CreateSub(number(axis(at) + kBox), inBox[at]));
    fewest = fewest ? code.least(fewest, count) : count;
    llvm::Value *most = code.CreateSub(count, code.getInt32(1));
    counts = code.CreateAdd(counts, code.CreateShl(most, code.getInt32(uint32_t(8 * (2 - at)))));
  }
  return {first, counts, code.CreateICmpSGT(fewest, code.getInt32(0))};
}

} // namespace

void KernelEmitter::emitLatticeRows(tile::RowsOp op, const RowTable &rows) {
  OrderKind kind = op.getRows().getType().getOrder();
  llvm::Value *lattice = scalar(op.getNumbers()), *tile = scalar(op.getTile());
  llvm::Value *table = code.at(lattice, 4 * kLattice);
  if (kind == OrderKind::Tails) { // the tile is one of the first lattice's or of the second's
    llvm::Value *second = code.CreateICmpSGE(tile, code.number(lattice, kLattice + kFirstTile));
    auto either = [&](llvm::Value *ifSecond, llvm::Value *ifFirst) {
      return code.CreateSelect(second, ifSecond, ifFirst);
    };
    llvm::Value *tables = code.at(lattice, 4 * 2 * kLattice);
    table = either(code.at(tables, 8 * rows.size), tables);
    lattice = either(code.at(lattice, 4 * kLattice), lattice);
    tile = code.CreateSub(tile, code.number(lattice, kFirstTile));
  }
  LatticeTile place = takeApart(code, kind, lattice, tile);
  constexpr uint32_t kUpper = 0x808080; // stays where a digit is at most its count less one
  llvm::Value *upper = code.getInt32(kUpper), *counts = code.CreateOr(place.counts, upper);
  code.loop(code.i64(0), code.i64(rows.size), 1, [&](llvm::Value *row) {
    llvm::Value *entry = code.at(table, code.CreateMul(row, code.i64(8)));
    llvm::Value *position = code.CreateAdd(place.first, code.number(entry, 0));
    llvm::Value *left = code.CreateAnd(code.CreateSub(counts, code.number(entry, 1)), upper);
    llvm::Value *exists = code.CreateAnd(code.CreateICmpEQ(left, upper), place.some);
    exists = code.CreateAnd(exists, code.CreateICmpULT(position, rows.length));
    storePosition(rows, row, code.CreateSelect(exists, position, code.getInt32(kNoPosition)));
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
  Storage from = anyStorage(op.getPositions());
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

namespace {

/// The runs of one row, from the numbers of its head's closed form.
class FormRow {
public:
  FormRow(Code &code, llvm::Value *forms, llvm::Value *row) : code(code) {
    llvm::Value *lead = code.number(forms, ClosedForm::kLead);
    llvm::Value *tail = code.number(forms, ClosedForm::kTailStart);
    auto [u, phase] = code.divideBy(row, code.at(forms, 4 * ClosedForm::kPhases));
    std::tie(t, m) = code.divideBy(u, code.at(forms, 4 * ClosedForm::kBoxTiles));
    // The lead rows' phases come first, then the repeating ones, then those of the tail.
    llvm::Value *isLead = code.CreateICmpSLT(row, lead);
    llvm::Value *repeating = code.CreateAdd(lead, phase);
    llvm::Value *afterAll = code.CreateAdd(
        code.CreateAdd(lead, code.number(forms, ClosedForm::kPhases)), code.CreateSub(row, tail));
    phase = code.CreateSelect(
        isLead, row, code.CreateSelect(code.CreateICmpSLT(row, tail), repeating, afterAll));
    llvm::Value *skipped = code.wide(code.CreateMul(phase, code.getInt32(ClosedForm::kPhase)));
    runs = code.at(code.at(forms, 4 * ClosedForm::kHead), code.CreateMul(skipped, code.i64(4)));
  }

  /// First column less what lies before the run in the list, step, and where the run ends in it.
  std::array<llvm::Value *, 3> run(llvm::Value *index, llvm::Value *before) {
    llvm::Value *numbers = code.at(runs, code.CreateMul(index, code.i64(4 * ClosedForm::kRun)));
    auto number = [&](int i) { return code.number(numbers, i); };
    auto bound = [&](int at) {
      llvm::Value *moved =
          code.CreateAdd(code.CreateMul(number(at + 1), t), code.CreateMul(number(at + 2), m));
      return code.least(code.most(code.CreateAdd(number(at), moved), number(6)), number(7));
    };
    llvm::Value *begin = bound(0), *step = number(9);
    llvm::Value *count = code.most(code.CreateSub(bound(3), begin), code.getInt32(0));
    llvm::Value *first =
        code.CreateAdd(number(8), code.CreateMul(code.CreateSub(begin, before), step));
    return {first, step, code.CreateAdd(before, count)};
  }

private:
  Code &code;
  llvm::Value *t = nullptr, *m = nullptr, *runs = nullptr;
};

} // namespace

void KernelEmitter::tableBounds(tile::BlocksOp op, const BlockList &list) {
  llvm::Value *start =
      code.at(field("block_offsets"), code.CreateMul(code.wide(scalar(op.getRow())), code.i64(8)));
  for (int i = 0; i < 3; ++i)
    code.storeTo(code.number(start, i), code.at(list.bounds, 4 * i));
}

void KernelEmitter::formBounds(tile::BlocksOp op, const BlockList &list, llvm::Value *forms) {
  llvm::Value *y = function->getArg(2);
  llvm::Value *head = code.wide(code.CreateMul(y, field("form_stride")));
  llvm::Value *row = code.CreateSub(scalar(op.getRow()), code.CreateMul(y, field("layout_stride")));
  FormRow form(code, code.at(forms, code.CreateMul(head, code.i64(4))), row);
  llvm::Value *zero = code.getInt32(0);
  code.loop(code.i64(0), code.i64(RowBlocks::kRuns), 1, {zero},
            [&](llvm::Value *index, ArrayRef<llvm::Value *> before) -> Code::Values {
              std::array<llvm::Value *, 3> run = form.run(index, before.front());
              llvm::Value *place = code.at(list.runs, code.CreateMul(index, code.i64(12)));
              for (auto [i, value] : llvm::enumerate(run))
                code.storeTo(value, code.at(place, 4 * int64_t(i)));
              return {run[2]};
            });
  auto endOf = [&](int run) { return code.number(list.runs, 3 * run + 2); };
  code.storeTo(zero, list.bounds);
  code.storeTo(endOf(RowBlocks::kPartial - 1), code.at(list.bounds, 4));
  code.storeTo(endOf(RowBlocks::kRuns - 1), code.at(list.bounds, 8));
}

void KernelEmitter::emitBlocks(tile::BlocksOp op) {
  BlockList list{onStack(3), onStack(3 * RowBlocks::kRuns)};
  llvm::Value *forms = field("row_forms");
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

/// Where the partial ones of a list of all blocks end; null of any other list.
llvm::Value *KernelEmitter::endOfPartial(Value blocks) {
  blocks = flow.resolve(blocks);
  auto list = blocks.getDefiningOp<tile::BlocksOp>();
  return list && list.getSet() == tile::BlockSet::All
             ? code.wide(code.number(blockLists[blocks].bounds, 1))
             : nullptr;
}

llvm::Value *KernelEmitter::blockColumn(Value blocks, llvm::Value *index) {
  blocks = flow.resolve(blocks);
  llvm::Value *place = code.CreateTrunc(index, code.getInt32Ty());
  if (blocks.getDefiningOp<tile::RangeOp>())
    return place;
  llvm::Value *runs = blockLists[blocks].runs;
  llvm::Value *column = onStack(1);
  code.branch(
      code.CreateIsNull(field("row_forms")),
      [&] {
        llvm::Value *entry = code.at(field("block_columns"), code.CreateMul(index, code.i64(4)));
        code.storeTo(code.number(entry, 0), column);
      },
      [&] {
        llvm::Value *run = code.i64(12 * (RowBlocks::kRuns - 1));
        for (int i = RowBlocks::kRuns - 1; i-- > 0;)
          run = code.CreateSelect(code.CreateICmpSLT(place, code.number(runs, 3 * i + 2)),
                                  code.i64(12 * i), run);
        llvm::Value *chosen = code.at(runs, run);
        code.storeTo(
            code.CreateAdd(code.number(chosen, 0), code.CreateMul(place, code.number(chosen, 1))),
            column);
      });
  return code.number(column, 0);
}

} // namespace sparsec::cpu
