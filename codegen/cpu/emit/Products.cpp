// The register tiles of a product, and what is done with its rows while they are in registers.
#include "codegen/cpu/emit/Emitter.h"

using namespace mlir;

namespace sparsec::cpu {

/// The reductions over the sweep's rows.
Code::Values KernelEmitter::emitProduct(const Sweep &sweep, Cell &panel) {
  DotOperands operands = dotOperands(sweep.dot, dims);
  const Storage &broadcast = pairProducts.contains(sweep.dot)
                                 ? broadcastPairs[flow.resolve(operands.broadcast)]
                                 : products[sweep.dot].second;
  bool rowPointers = broadcast.kind == Storage::Pointers && operands.rowDim == 0;
  // General registers hold no more rows' pointers.
  constexpr int kMostPointers = 8;
  int64_t most = code.level.rowsBeside(panel.shape.parts());
  if (rowPointers)
    most = std::min<int64_t>(most, kMostPointers);
  // Whole tiles, then one of the rows that are left: 128 rows in sixes are 21, and 2 rows.
  int64_t whole = sweep.rows / most * most, rest = sweep.rows - whole;
  Code::Values sums = startReductions(sweep, panel.shape);
  auto tiles = [&](llvm::Value *from, llvm::Value *to, int64_t rows) {
    sums = code.loop(from, to, rows, sums, [&](llvm::Value *row, ArrayRef<llvm::Value *> carried) {
      return emitProductRows(sweep, panel, row, int(rows), carried);
    });
  };
  auto [begin, end] = liveRange(sweep.rowClass, sweep.rows, panel);
  if (whole)
    tiles(code.CreateSub(begin, code.CreateURem(begin, code.i64(most))),
          code.least(end, code.i64(whole)), most);
  if (rest)
    tiles(code.i64(whole), end, rest);
  return sums;
}

/// One register tile, and what is done with its rows while they are in registers.
Code::Values KernelEmitter::emitProductRows(const Sweep &sweep, Cell &panel, llvm::Value *row,
                                            int count, ArrayRef<llvm::Value *> carried) {
  tile::DotOp dot = sweep.dot;
  int laneDim = dims.laneDim(dot.getResult());
  std::vector<Cell> cells;
  std::vector<LaneVectors> sums;
  for (int i = 0; i < count; ++i) {
    cells.push_back(panel.atRow(code.CreateAdd(row, code.i64(i)), laneDim));
    llvm::Value *zero =
        llvm::Constant::getNullValue(code.vectorOf(code.getFloatTy(), panel.shape.vector));
    sums.push_back(dot.getAcc() ? lanes(dot.getAcc(), cells.back())
                                : LaneVectors(panel.shape.parts(), zero));
  }
  if (!pairProducts.contains(dot))
    prefetch(sweep, panel, row, count);
  sums = pairProducts.contains(dot) ? sumPairs(sweep, panel, row, sums)
                                    : sumProducts(sweep, panel, row, count, sums);
  Code::Values reductions(carried);
  for (int i = 0; i < count; ++i) {
    // Nothing that was read for the sums' start is read again: in place, it is gone.
    Cell cell = panel.atRow(cells[i].row, laneDim);
    cell.known[dot.getResult()] = sums[i];
    if (auto found = storage.find(dot.getResult()); found != storage.end())
      storeLanes(found->second, cell, sums[i]);
    reductions = emitRow(sweep, cell, reductions);
  }
  return reductions;
}

/// The sums of a register tile's rows after the steps from `begin` to `end`, each of which adds to
/// all of them: row i's part j is sums[i parts + j]. A few at a time: a loop of 32 turns ends in a
/// mispredicted jump. Without an end, those few alone.
std::vector<LaneVectors> KernelEmitter::sumInSteps(const std::vector<LaneVectors> &start,
                                                   llvm::Value *begin, llvm::Value *end,
                                                   const Strides &strides, AddStep add) {
  auto scaled = [&](llvm::Value *number, int64_t by) {
    return code.CreateMul(number, code.i64(by));
  };
  // The lanes' address follows from `at` where an instruction can scale it by as much.
  int64_t ratio = strides.acrossBytes / strides.broadcast;
  bool follows =
      ratio * strides.broadcast == strides.acrossBytes && ratio <= 8 && llvm::isPowerOf2_64(ratio);
  Code::Values init;
  for (const LaneVectors &row : start)
    init.append(row.begin(), row.end());
  if (!follows)
    init.push_back(code.at(strides.across, scaled(begin, strides.acrossBytes)));
  auto few = [&](llvm::Value *at, ArrayRef<llvm::Value *> carried) {
    Code::Values next(carried);
    llvm::Value *across =
        follows ? code.at(strides.across, scaled(at, ratio)) : next.pop_back_val();
    if (strides.toNext)
      for (llvm::Value *row : strides.rows)
        code.askFor(code.at(row, code.CreateAdd(at, strides.toNext)));
    for (int64_t i = 0; i < kStepsAtOnce; ++i)
      add(code.CreateAdd(at, code.i64(i * strides.broadcast)),
          code.at(across, i * strides.acrossBytes), next);
    if (!follows)
      next.push_back(code.at(across, kStepsAtOnce * strides.acrossBytes));
    return next;
  };
  llvm::Value *at = scaled(begin, strides.broadcast);
  Code::Values sums = end ? code.loop(at, scaled(end, strides.broadcast),
                                      kStepsAtOnce * strides.broadcast, init, few)
                          : few(at, init);
  std::vector<LaneVectors> result;
  ArrayRef<llvm::Value *> rest = sums;
  for (const LaneVectors &row : start) {
    result.emplace_back(rest.take_front(row.size()));
    rest = rest.drop_front(row.size());
  }
  return result;
}

/// Sums of one register tile.
std::vector<LaneVectors> KernelEmitter::sumProducts(const Sweep &sweep, Cell &panel,
                                                    llvm::Value *row, int count,
                                                    const std::vector<LaneVectors> &start) {
  DotOperands operands = dotOperands(sweep.dot, dims);
  const auto &[lanesIn, broadcast] = products[sweep.dot];
  bool pointers = broadcast.kind == Storage::Pointers;
  llvm::Value *zero = code.i64(0);
  auto element = [&](llvm::Value *r, llvm::Value *k) {
    return operands.rowDim == 0 ? elementPointer(broadcast, r, k) : elementPointer(broadcast, k, r);
  };
  // The sum runs along memory's rows, from row to row, or along lanes that lie in panels.
  bool alongRows = pointers && operands.rowDim == 0, overRows = pointers && !alongRows;
  bool alongLanes = !pointers && broadcast.laneDim != operands.rowDim;
  bool inPanels = alongLanes && broadcast.panelStride != broadcast.shape.panel;
  SmallVector<llvm::Value *> first; // of each row, in step 0
  for (int i = 0; i < count && !overRows; ++i)
    first.push_back(element(code.CreateAdd(row, code.i64(i)), zero));
  Strides strides;
  strides.broadcast = overRows                  ? 8
                      : inPanels                ? 1
                      : alongRows || alongLanes ? 4
                                                : broadcast.rowStride * 4;
  if (alongRows && broadcast.rowBytes) {
    strides.rows = first;
    strides.toNext = code.CreateMul(broadcast.rowBytes, code.i64(count));
  }
  bool lanesByPointers = lanesIn.kind == Storage::Pointers;
  strides.across = lanesByPointers ? lanesIn.base : lanesPointer(lanesIn, panel.panel, zero);
  strides.acrossBytes = lanesByPointers ? 8 : lanesIn.rowStride * 4;
  llvm::Type *vector = code.vectorOf(code.getFloatTy(), panel.shape.vector);
  auto add = [&](llvm::Value *at, llvm::Value *lanesAt, MutableArrayRef<llvm::Value *> sums) {
    auto memoryRow = [&](llvm::Value *entry) { return code.loadAs(code.getPtrTy(), entry, 8); };
    if (lanesByPointers)
      lanesAt = code.at(memoryRow(lanesAt),
                        code.CreateMul(panel.panel, code.i64(lanesIn.shape.panel * 4)));
    llvm::Value *sumRow = // memory's row of this step
        overRows ? code.at(memoryRow(code.at(broadcast.base, at)), code.CreateMul(row, code.i64(4)))
                 : nullptr;
    auto repeated = [&](int i) {
      llvm::Value *pointer = sumRow     ? code.at(sumRow, i * 4)
                             : inPanels ? element(code.CreateAdd(row, code.i64(i)), at)
                                        : code.at(first[i], at);
      return code.CreateVectorSplat(panel.shape.vector, code.loadAs(code.getFloatTy(), pointer));
    };
    auto across = [&](int part) {
      return code.loadAs(vector, code.at(lanesAt, part * panel.shape.vector * 4));
    };
    // The fewer ones stay in registers while the others come one by one. Each is loaded where it is
    // first multiplied: loads in a row hold up the products behind them.
    int parts = panel.shape.parts();
    bool rowsStay = count < parts;
    LaneVectors stay;
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
  auto [begin, end] =
      liveRange(dims.classOf(operands.lanes, 1 - operands.lanesDim), operands.sum, panel);
  std::vector<LaneVectors> sums = start;
  bool fromZero = isa<llvm::Constant>(start[0][0]) && isa<llvm::Constant>(begin);
  if (fromZero && operands.sum > kStepsAtOnce && operands.sum <= kShort) {
    sums = sumInSteps(sums, begin, nullptr, strides, add);
    begin = code.CreateAdd(begin, code.i64(kStepsAtOnce));
  }
  return sumInSteps(sums, begin, end, strides, add);
}

} // namespace sparsec::cpu
