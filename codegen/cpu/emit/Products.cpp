// The register tiles of a product, and what is done with its rows while they are in registers.
#include "codegen/cpu/emit/Emitter.h"
#include "codegen/cpu/emit/ProductEmission.h"

using namespace mlir;

namespace sparsec::cpu {

/// The reductions over the sweep's rows.
Code::Values KernelEmitter::emitProduct(const Sweep &sweep, Cell &panel) {
  int64_t most = plan.products.find(sweep.dot)->second.rows;
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
  sums = plan.products.find(dot)->second.kind->emission->sum(*this, sweep, panel, row, sums);
  Code::Values reductions(carried);
  for (int i = 0; i < count; ++i) {
    // Nothing that was read for the sums' start is read again: in place, it is gone.
    Cell cell = panel.atRow(cells[i].row, laneDim);
    cell.known[dot.getResult()] = sums[i];
    if (const Storage *memory = tiles.of(dot.getResult()))
      tiles.storeLanes(*memory, cell, sums[i]);
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

} // namespace sparsec::cpu
