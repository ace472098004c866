// Panels and sweeps: the loops of a group (LoopPlan.h).
#include "codegen/cpu/emit/Emitter.h"

using namespace mlir;

namespace sparsec::cpu {

//===-- Storage -------------------------------------------------------------------------------===//

/// Whether a value may be written where its carry lies: nobody reads the carry after it.
bool KernelEmitter::inPlace(Value result, const Group &group, Operation *loop) {
  if (!loop)
    return false;
  Carries carries = carriesOf(loop);
  for (auto [argument, yield] : llvm::zip(carries.arguments, carries.yields)) {
    if (flow.resolve(yield) != result)
      continue;
    for (Operation *reader : flow.readers(argument)) {
      if (!llvm::is_contained(group.ops, reader))
        return false;
      // Vectors are read when a panel begins; of a matrix each element as its sum is loaded.
      if (isMatrix(result) && reader != result.getDefiningOp())
        return false;
      for (const Read &read : loopPlan.reads(reader))
        if (read.value == argument && read.access == Access::Whole)
          return false;
    }
    bool isSum = isa<tile::DotOp>(result.getDefiningOp());
    for (const Read &read : loopPlan.reads(result.getDefiningOp()))
      if (isMatrix(result) && read.value == argument && read.access != Access::Cell)
        return false;
    if (isMatrix(result) && !isSum)
      return false;
    storage[result] = storage[argument];
    return true;
  }
  return false;
}

namespace {

/// When the operations of a group run: sweep by sweep, a sweep's product before the rest of it.
class RunOrder {
public:
  explicit RunOrder(const std::vector<Sweep> &sweeps) {
    for (auto [s, sweep] : llvm::enumerate(sweeps)) {
      for (auto [i, op] : llvm::enumerate(sweep.ops))
        places[op] = {int(s), int(i)};
      if (sweep.dot)
        places[sweep.dot] = {int(s), -1};
    }
  }
  /// Whether `reader` has read a tile's element when `writer` writes the same element of its own.
  bool isBefore(Operation *reader, Operation *writer) const {
    auto read = places.find(reader), write = places.find(writer);
    if (read == places.end() || write == places.end())
      return false;
    if (read->second.first != write->second.first)
      return read->second.first < write->second.first;
    // Products read whole panels; others read an element before they write it.
    return read->second.second >= 0 && read->second.second <= write->second.second;
  }

private:
  llvm::DenseMap<Operation *, std::pair<int, int>> places;
};

} // namespace

/// A tile whose own readers are done by then, so that its panel can be written over: less of the
/// first-level cache, and no store that seems to overtake a load.
Storage KernelEmitter::takeOver(Value result, llvm::SmallVectorImpl<Value> &local,
                                llvm::function_ref<bool(Operation *, Operation *)> isBefore) {
  for (Value &other : local) {
    if (tileType(other).getShape() != tileType(result).getShape() ||
        dims.laneDim(other) != dims.laneDim(result) ||
        storage[other].element != memoryType(tileType(result).getElementType()))
      continue;
    if (llvm::all_of(flow.readers(other),
                     [&](Operation *reader) { return isBefore(reader, result.getDefiningOp()); })) {
      Storage taken = storage[other];
      other = result;
      return taken;
    }
  }
  local.push_back(result);
  return allocateTile(result, /*local=*/true);
}

void KernelEmitter::planStorage(const Group &group, const std::vector<Sweep> &sweeps,
                                Operation *loop) {
  RunOrder order(sweeps);
  SmallVector<Value> local;
  auto isBefore = [&](Operation *reader, Operation *writer) {
    return order.isBefore(reader, writer);
  };
  for (const Sweep &sweep : sweeps) {
    SmallVector<Operation *> ops = sweep.ops;
    if (sweep.dot)
      ops.insert(ops.begin(), sweep.dot);
    for (Operation *op : ops) {
      if (op->getNumResults() == 0 || inPlace(op->getResult(0), group, loop))
        continue;
      Value result = op->getResult(0);
      ArrayRef<Operation *> readers = flow.readers(result);
      bool leaves = llvm::any_of(
          readers, [&](Operation *reader) { return !llvm::is_contained(group.ops, reader); });
      bool outlivesRow = llvm::any_of(readers, [&](Operation *reader) {
        return isMatrix(result) && !llvm::is_contained(sweep.ops, reader) &&
               !takesPairs(reader, result);
      });
      // Sums in tile registers go through memory.
      outlivesRow |= code.level.tiles && pairProducts.contains(op);
      if (isMatrix(result) && readAsPairs(result)) {
        int laneDim = dims.laneDim(result);
        ArrayRef<int64_t> shape = tileType(result).getShape();
        lanePairs[result] = allocatePairs(shape[1 - laneDim] / 2, shape[laneDim], laneDim,
                                          /*local=*/true, /*asRows=*/false);
      }
      if (leaves)
        storage[result] = allocateTile(result, /*local=*/false);
      else if (outlivesRow)
        storage[result] = takeOver(result, local, isBefore);
    }
  }
}

//===-- Groups and sweeps ---------------------------------------------------------------------===//

void KernelEmitter::emitGroup(const Group &group, Operation *loop) {
  std::vector<Sweep> sweeps = loopPlan.sweeps(group);
  planStorage(group, sweeps, loop);
  findUnmasked(sweeps);
  Operation *any = group.ops.front();
  Value shape = any->getNumResults() ? any->getResult(0) : any->getOperand(0);
  if (auto reduce = dyn_cast<tile::ReduceOp>(any))
    shape = reduce.getInput();
  for (Operation *op : group.ops) {
    if (auto dot = dyn_cast<tile::DotOp>(op); dot && !pairProducts.contains(op)) {
      DotOperands operands = dotOperands(dot, dims);
      Storage lanesIn = storage.contains(flow.resolve(operands.lanes)) &&
                                storage[flow.resolve(operands.lanes)].local
                            ? storage[flow.resolve(operands.lanes)]
                            : materialise(operands.lanes, operands.lanesDim);
      products[op] = {lanesIn, anyStorage(operands.broadcast)};
    }
  }
  findStorePlaces(group);
  PanelShape panels = code.shape(tileType(shape).getDimSize(dims.laneDim(shape)));
  // Without sums that want many registers, a panel of one vector is as fast and less code.
  if (llvm::none_of(group.ops, llvm::IsaPred<tile::DotOp, tile::ReduceOp>))
    panels.panel = panels.vector;
  tile::MaskOp mask = maskOfRows(group);
  auto [first, last] = sliceOf(group.laneClass, panels.panels(), panels.panel);
  code.loop(first, last, 1, [&](llvm::Value *index) {
    Cell panel;
    llvm::DenseMap<Value, LaneVectors> vectors;
    panel.panel = index, panel.shape = panels, panel.laneDim = 0;
    for (Operation *op : group.ops)
      for (const Read &read : loopPlan.reads(op))
        if (isVector(read.value) && read.access != Access::Whole &&
            !llvm::is_contained(group.ops, read.value.getDefiningOp()))
          vectors[read.value] = loadLanes(storage[read.value], panel);
    panel.known = std::move(vectors);
    if (mask)
      panel.live = findLiveRows(mask, panel);
    for (const Sweep &sweep : sweeps)
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
  bool tiles = sweep.dot && code.level.tiles && pairProducts.contains(sweep.dot);
  if (tiles)
    emitTileProduct(sweep, panel);
  if (tiles && sweep.ops.empty())
    return;
  auto rows = [&] {
    return sweep.dot && !tiles ? emitProduct(sweep, panel) : emitRowLoop(sweep, panel);
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
    if (auto found = storage.find(result); found != storage.end())
      storeLanes(found->second, panel, value);
  }
}

/// One row of a sweep; the reductions so far become those with this row.
Code::Values KernelEmitter::emitRow(const Sweep &sweep, Cell &cell, ArrayRef<llvm::Value *> sums) {
  for (Operation *op : sweep.ops) {
    if (isa<tile::ReduceOp>(op) || (inFullBlock && isForMasksAlone(op)))
      continue;
    Value result = op->getResult(0);
    LaneVectors value = cell.known[result] = computeLanes(result, op, cell);
    if (auto found = storage.find(result); found != storage.end())
      storeLanes(found->second, cell, value);
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
  bool pairs = llvm::any_of(sweep.ops, [&](Operation *each) {
    return each->getNumResults() && lanePairs.contains(each->getResult(0));
  });
  int64_t step = pairs ? 2 : 1;
  auto [begin, end] = liveRange(sweep.rowClass, sweep.rows, panel);
  return code.loop(begin, end, step, startReductions(sweep, panel.shape),
                   [&](llvm::Value *row, ArrayRef<llvm::Value *> carried) {
                     Code::Values next(carried);
                     SmallVector<Cell, 2> cells;
                     for (int64_t i = 0; i < step; ++i) {
                       cells.push_back(panel.atRow(code.CreateAdd(row, code.i64(i)), laneDim));
                       next = emitRow(sweep, cells.back(), next);
                     }
                     if (pairs)
                       storePairs(sweep, cells[0], cells[1]);
                     return next;
                   });
}

} // namespace sparsec::cpu
