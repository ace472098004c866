// Panels and sweeps: the loops of a group (LoopPlan.h).
#include "codegen/cpu/emit/Emitter.h"
#include "codegen/cpu/emit/ProductEmission.h"

using namespace mlir;

namespace sparsec::cpu {

//===-- Groups and sweeps ---------------------------------------------------------------------===//

/// The memory that a group begins to use, and what it needs there before its panels.
void KernelEmitter::beginGroup(const Group &group) {
  for (int place : group.made)
    tiles.begin(place);
  for (const Copy &copy : group.copies)
    copyInto(tiles.begin(copy.to), copy.value);
  findStorePlaces(group);
}

void KernelEmitter::emitGroup(const Group &group) {
  beginGroup(group);
  auto [first, last] = sliceOf(group.laneClass, group.shape.panels(), group.shape.panel);
  code.loop(first, last, 1, [&](llvm::Value *index) {
    Cell panel;
    llvm::DenseMap<Value, LaneVectors> vectors;
    panel.panel = index, panel.shape = group.shape, panel.laneDim = 0;
    for (Value vector : group.vectors)
      vectors[vector] = tiles.loadLanes(*tiles.of(vector), panel);
    panel.known = std::move(vectors);
    if (group.liveRows)
      panel.live = findLiveRows(group.liveRows, panel);
    for (const Sweep &sweep : group.sweeps)
      emitSweep(sweep, panel);
  });
}

void KernelEmitter::emitSweep(const Sweep &sweep, Cell &panel) {
  if (sweep.kind == Sweep::Vectors) {
    emitVectors(sweep, panel);
    return;
  }
  if (sweep.kind == Sweep::Store) {
    for (Operation *op : sweep.ops) {
      Cell cell = panel.atRow(nullptr, dims.laneDim(op->getOperand(0)));
      if (auto store = dyn_cast<tile::StoreOp>(op))
        emitStore(store, cell);
      else
        emitStore(cast<tile::AccumulateOp>(op), cell);
    }
    return;
  }
  const ProductKind *kind = sweep.dot ? plan.products.find(sweep.dot)->second.kind : nullptr;
  bool inMemory = kind && kind->sumsInMemory;
  if (inMemory)
    kind->emission->intoMemory(*this, sweep, panel);
  if (inMemory && sweep.ops.empty())
    return;
  auto rows = [&] {
    return kind && !inMemory ? emitProduct(sweep, panel) : emitRowLoop(sweep, panel);
  };
  bool masks = llvm::any_of(sweep.ops, [](Operation *op) { return isa<tile::MaskOp>(op); });
  if (!masks || !isPartial) {
    endReductions(sweep, panel, rows());
    return;
  }
  Code::Values sums = code.choose(isPartial, rows, [&] {
    if (std::optional<Code::Values> early = unmaskedSums(sweep, panel))
      return *early;
    llvm::SaveAndRestore full(inFullBlock, true);
    return rows();
  });
  endReductions(sweep, panel, sums);
}

void KernelEmitter::emitVectors(const Sweep &sweep, Cell &panel) {
  for (Operation *op : sweep.ops) {
    Value result = op->getResult(0);
    LaneVectors value = computeLanes(result, op, panel);
    panel.known[result] = value;
    if (const Storage *memory = tiles.of(result))
      tiles.storeLanes(*memory, panel, value);
  }
}

/// One row of a sweep; the reductions so far become those with this row.
Code::Values KernelEmitter::emitRow(const Sweep &sweep, Cell &cell, ArrayRef<llvm::Value *> sums) {
  for (Operation *op : sweep.ops) {
    if (isa<tile::ReduceOp>(op) || (inFullBlock && isForMasksAlone(op)))
      continue;
    Value result = op->getResult(0);
    LaneVectors value = cell.known[result] = computeLanes(result, op, cell);
    if (const Storage *memory = tiles.of(result))
      tiles.storeLanes(*memory, cell, value);
  }
  return reduceRow(sweep, cell, sums);
}

/// `count` parts of a panel from `first` on, as a panel of its own.
Cell KernelEmitter::partsOf(const Cell &panel, int first, int count) {
  Cell some;
  some.laneDim = panel.laneDim;
  some.shape = panel.shape;
  some.live = panel.live;
  some.shape.panel = count * panel.shape.vector;
  some.panel = code.CreateAdd(code.CreateMul(panel.panel, code.i64(panel.shape.parts() / count)),
                              code.i64(first / count));
  for (const auto &[value, lanes] : panel.known)
    some.known[value] = LaneVectors(ArrayRef(lanes).slice(first, count));
  return some;
}

Code::Values KernelEmitter::emitRowLoop(const Sweep &sweep, Cell &panel) {
  if (int parts = panel.shape.parts(), some = code.level.loopParts; parts > some) {
    std::vector<Code::Values> each;
    for (int first = 0; first < parts; first += some) {
      Cell cell = partsOf(panel, first, some);
      each.push_back(emitRowLoop(sweep, cell));
    }
    Code::Values sums; // a reduction's parts side by side
    for (size_t i = 0; i < each.front().size(); i += some)
      for (const Code::Values &values : each)
        llvm::append_range(sums, ArrayRef(values).slice(i, some));
    return sums;
  }
  Operation *op = sweep.ops.front();
  Value matrix = op->getResult(0);
  if (auto reduce = dyn_cast<tile::ReduceOp>(op))
    matrix = reduce.getInput();
  int laneDim = dims.laneDim(matrix);
  SmallVector<Operation *> packed;
  int64_t step = 1;
  for (Operation *each : sweep.ops)
    if (each->getNumResults() && plan.packed.contains(each->getResult(0))) {
      packed.push_back(each);
      step = plan.packed.find(each->getResult(0))->second.form->rowsAtOnce;
    }
  auto [begin, end] = liveRange(sweep.rowClass, sweep.rows, panel);
  return code.loop(begin, end, step, startReductions(sweep, panel.shape),
                   [&](llvm::Value *row, ArrayRef<llvm::Value *> carried) {
                     Code::Values next(carried);
                     SmallVector<Cell, 2> cells;
                     for (int64_t i = 0; i < step; ++i) {
                       cells.push_back(panel.atRow(code.CreateAdd(row, code.i64(i)), laneDim));
                       next = emitRow(sweep, cells.back(), next);
                     }
                     for (Operation *each : packed) {
                       Load::Operand own = plan.packed.find(each->getResult(0))->second;
                       own.form->emission->pack(*this, each, cells, tiles.at(own.place));
                     }
                     return next;
                   });
}

} // namespace sparsec::cpu
