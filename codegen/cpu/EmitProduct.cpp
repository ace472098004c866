// The register tiles of a product, and what is done with its rows while they are in registers.
#include "codegen/cpu/Emitter.h"

using namespace mlir;

namespace sparsec::cpu {

/// The reductions over the stage's rows.
Code::Values KernelEmitter::emitProduct(const Stage &stage, Cell &panel) {
  DotOperands operands = dotOperands(stage.dot, dims);
  const Storage &broadcast = pairProducts.contains(stage.dot)
                                 ? broadcastPairs[flow.resolve(operands.broadcast)]
                                 : products[stage.dot].second;
  bool rowPointers = broadcast.kind == Storage::Pointers && operands.rowDim == 0;
  // General registers hold no more rows' pointers.
  constexpr int kMostPointers = 8;
  int64_t most = code.level.rowsBeside(panel.shape.parts());
  if (rowPointers)
    most = std::min<int64_t>(most, kMostPointers);
  // Whole tiles, then one of the rows that are left: 128 rows in sixes are 21, and 2 rows.
  int64_t whole = stage.rows / most * most, rest = stage.rows - whole;
  Code::Values sums = startReductions(stage, panel.shape);
  auto tiles = [&](llvm::Value *from, llvm::Value *to, int64_t rows) {
    sums = code.loop(from, to, rows, sums, [&](llvm::Value *row, ArrayRef<llvm::Value *> carried) {
      return emitProductRows(stage, panel, row, int(rows), carried);
    });
  };
  auto [begin, end] = liveRange(stage.rowClass, stage.rows, panel);
  if (whole)
    tiles(code.plain(code.CreateSub(begin, code.CreateURem(begin, code.i64(most)))),
          code.least(end, code.i64(whole)), most);
  if (rest)
    tiles(code.i64(whole), end, rest);
  return sums;
}

/// One register tile, and what is done with its rows while they are in registers.
Code::Values KernelEmitter::emitProductRows(const Stage &stage, Cell &panel, llvm::Value *row,
                                            int count, ArrayRef<llvm::Value *> carried) {
  tile::DotOp dot = stage.dot;
  int laneDim = dims.laneDim(dot.getResult());
  std::vector<Cell> cells;
  std::vector<Lanes> sums;
  for (int i = 0; i < count; ++i) {
    cells.push_back(panel.atRow(code.CreateAdd(row, code.i64(i)), laneDim));
    llvm::Value *zero =
        llvm::Constant::getNullValue(code.vectorOf(code.getFloatTy(), panel.shape.vector));
    sums.push_back(dot.getAcc() ? lanes(dot.getAcc(), cells.back())
                                : Lanes(panel.shape.parts(), zero));
  }
  if (!pairProducts.contains(dot))
    prefetch(stage, panel, row, count);
  sums = pairProducts.contains(dot) ? sumPairs(stage, panel, row, sums)
                                    : sumProducts(stage, panel, row, count, sums);
  Code::Values reductions(carried);
  for (int i = 0; i < count; ++i) {
    // Nothing that was read for the sums' start is read again: in place, it is gone.
    Cell cell = panel.atRow(cells[i].row, laneDim);
    cell.known[dot.getResult()] = sums[i];
    if (auto found = storage.find(dot.getResult()); found != storage.end())
      storeLanes(found->second, cell, sums[i]);
    reductions = emitRow(stage, cell, reductions);
  }
  return reductions;
}

/// The sums of a register tile's rows after the steps from `begin` to `end`, each of which adds to
/// all of them: row i's part j is sums[i parts + j]. A few at a time: a loop of 32 turns ends in a
/// mispredicted jump. Without an end, those few alone.
std::vector<Lanes> KernelEmitter::sumInSteps(
    const std::vector<Lanes> &start, llvm::Value *begin, llvm::Value *end,
    llvm::function_ref<void(llvm::Value *step, MutableArrayRef<llvm::Value *> sums)> add) {
  Code::Values init;
  for (const Lanes &row : start)
    init.append(row.begin(), row.end());
  auto few = [&](llvm::Value *step, ArrayRef<llvm::Value *> carried) {
    Code::Values next(carried);
    for (int64_t i = 0; i < kStepsAtOnce; ++i)
      add(code.CreateAdd(step, code.i64(i)), next);
    return next;
  };
  Code::Values sums = end ? code.loop(begin, end, kStepsAtOnce, init, few) : few(begin, init);
  std::vector<Lanes> result;
  ArrayRef<llvm::Value *> rest = sums;
  for (const Lanes &row : start) {
    result.emplace_back(rest.take_front(row.size()));
    rest = rest.drop_front(row.size());
  }
  return result;
}

/// Sums of one register tile.
std::vector<Lanes> KernelEmitter::sumProducts(const Stage &stage, Cell &panel, llvm::Value *row,
                                              int count, const std::vector<Lanes> &start) {
  DotOperands operands = dotOperands(stage.dot, dims);
  const auto &[lanesIn, broadcast] = products[stage.dot];
  bool pointers = broadcast.kind == Storage::Pointers;
  llvm::Value *zero = code.i64(0);
  auto element = [&](llvm::Value *r, llvm::Value *k) {
    return operands.rowDim == 0 ? elementPointer(broadcast, r, k) : elementPointer(broadcast, k, r);
  };
  // Pointers to the rows' first elements, where the sum runs along memory's rows.
  SmallVector<llvm::Value *> first;
  for (int i = 0; i < count && (!pointers || operands.rowDim == 0); ++i)
    first.push_back(element(code.CreateAdd(row, code.i64(i)), zero));
  llvm::Value *fromPanel =
      lanesIn.kind == Storage::Pointers ? nullptr : lanesPointer(lanesIn, panel.panel, zero);
  bool sumAlongLanes = !pointers && broadcast.laneDim != operands.rowDim &&
                       broadcast.panelStride != broadcast.shape.panel;
  llvm::Type *vector = code.vectorOf(code.getFloatTy(), panel.shape.vector);
  auto [begin, end] =
      liveRange(dims.classOf(operands.lanes, 1 - operands.lanesDim), operands.sum, panel);
  auto add = [&](llvm::Value *now, MutableArrayRef<llvm::Value *> sums) {
    llvm::Value *lanesAt =
        fromPanel ? code.at(fromPanel, code.CreateMul(now, code.i64(lanesIn.rowStride * 4)))
                  : lanesPointer(lanesIn, panel.panel, now);
    llvm::Value *sumRow =
        pointers && operands.rowDim == 1 ? element(row, now) : nullptr; // memory's row `now`
    auto repeated = [&](int i) {
      llvm::Value *at;
      if (sumRow)
        at = code.at(sumRow, i * 4);
      else if (sumAlongLanes)
        at = element(code.CreateAdd(row, code.i64(i)), now);
      else
        at = code.at(first[i],
                     code.CreateMul(now, code.i64(pointers || broadcast.laneDim != operands.rowDim
                                                      ? 4
                                                      : broadcast.rowStride * 4)));
      return code.CreateVectorSplat(panel.shape.vector, code.loadAs(code.getFloatTy(), at));
    };
    auto across = [&](int part) {
      return code.loadAs(vector, code.at(lanesAt, part * panel.shape.vector * 4));
    };
    // The fewer ones stay in registers while the others come one by one. Each is loaded where it is
    // first multiplied: loads in a row hold up the products behind them.
    int parts = panel.shape.parts();
    bool rowsStay = count < parts;
    Lanes stay;
    for (int i = 0; i < std::max(count, parts); ++i) {
      llvm::Value *comes = rowsStay ? across(i) : repeated(i);
      for (int j = 0; j < std::min(count, parts); ++j) {
        if (i == 0)
          stay.push_back(rowsStay ? repeated(j) : across(j));
        llvm::Value *&sum = rowsStay ? sums[j * parts + i] : sums[i * parts + j];
        llvm::Value *a = rowsStay ? stay[j] : comes, *b = rowsStay ? comes : stay[j];
        sum = isa<llvm::Constant>(sum) ? code.CreateFMul(a, b) : code.multiplyAdd(a, b, sum);
      }
    }
  };
  // A short sum from zero has its first steps apart, where there is nothing to add to.
  constexpr int64_t kShort = 64;
  std::vector<Lanes> sums = start;
  bool fromZero = isa<llvm::Constant>(start[0][0]) && isa<llvm::Constant>(begin);
  if (fromZero && operands.sum > kStepsAtOnce && operands.sum <= kShort) {
    sums = sumInSteps(sums, begin, nullptr, add);
    begin = code.CreateAdd(begin, code.i64(kStepsAtOnce));
  }
  return sumInSteps(sums, begin, end, add);
}

} // namespace sparsec::cpu
