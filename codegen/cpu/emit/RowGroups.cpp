// Groups that go row by row (LoopPlan.h).
#include "codegen/cpu/emit/Emitter.h"

using namespace mlir;

namespace sparsec::cpu {

/// Where the group's stores write, found before its loops.
void KernelEmitter::findStorePlaces(const Group &group) {
  auto find = [&](auto store) {
    int64_t size = tileType(store.getValue()).getDimSize(1);
    Stretch columns = positions.columnsOf(store.getColumns(), size);
    storePlaces[store] = {views.rowPointers(views.of(store.getView()), store.getIndices(),
                                            store.getRows(), frame.sink, columns.first),
                          columns};
    if constexpr (std::is_same_v<decltype(store), tile::StoreOp>)
      storePlaces[store].streams = streams(store, columns);
  };
  for (Operation *op : group.ops) {
    if (auto store = dyn_cast<tile::StoreOp>(op))
      find(store);
    if (auto store = dyn_cast<tile::AccumulateOp>(op))
      find(store);
  }
}

void KernelEmitter::writeRow(Operation *op, Cell &cell) {
  llvm::Value *column = code.CreateMul(cell.panel, code.i64(cell.shape.panel));
  auto write = [&](auto store) {
    writeLanes(store, storePlaces[op], cell.row, column, lanes(store.getValue(), cell));
  };
  if (auto store = dyn_cast<tile::StoreOp>(op))
    write(store);
  else
    write(cast<tile::AccumulateOp>(op));
}

/// Of all lanes of the parts, in halves.
llvm::Value *KernelEmitter::acrossLanes(tile::ReduceKind kind, ArrayRef<llvm::Value *> parts) {
  SmallVector<llvm::Value *> rest(parts);
  while (rest.size() > 1) {
    size_t half = rest.size() / 2;
    for (size_t i = 0; i < half; ++i)
      rest[i] = combine(kind, rest[i], rest[half + i]);
    rest.truncate(half);
  }
  llvm::Value *sum = rest.front();
  for (unsigned half; (half = cast<llvm::FixedVectorType>(sum->getType())->getNumElements() / 2);) {
    SmallVector<int> low, high;
    for (unsigned i = 0; i < half; ++i)
      low.push_back(int(i)), high.push_back(int(half + i));
    sum = combine(kind, code.CreateShuffleVector(sum, low), code.CreateShuffleVector(sum, high));
  }
  return code.CreateExtractElement(sum, uint64_t(0));
}

void KernelEmitter::emitRowGroup(const Group &group) {
  const Sweep &sweep = group.sweeps.front();
  beginGroup(group);
  Operation *any = group.ops.front();
  Value shape = any->getNumResults() ? any->getResult(0) : any->getOperand(0);
  if (auto reduce = dyn_cast<tile::ReduceOp>(any))
    shape = reduce.getInput();
  Cell first;
  first.laneDim = dims.laneDim(shape);
  first.shape = group.shape;
  auto [begin, end] = sliceOf(group.laneClass, first.shape.panels(), first.shape.panel);
  int64_t rows = tileType(shape).getDimSize(1 - first.laneDim);
  code.loop(code.i64(0), code.i64(rows), 1, [&, begin = begin, end = end](llvm::Value *row) {
    Cell line = first;
    line.row = row;
    for (Value each : group.perRow)
      lanes(each, line);
    Code::Values sums = code.loop(begin, end, 1, startReductions(sweep, line.shape),
                                  [&](llvm::Value *panel, ArrayRef<llvm::Value *> carried) {
                                    Cell cell = line;
                                    cell.panel = panel;
                                    prefetchNextItem(group, cell);
                                    for (Operation *op : group.ops) {
                                      if (isa<tile::StoreOp, tile::AccumulateOp>(op)) {
                                        writeRow(op, cell);
                                      } else if (!isa<tile::ReduceOp>(op)) {
                                        Value result = op->getResult(0);
                                        LaneVectors value = cell.known[result] =
                                            computeLanes(result, op, cell);
                                        if (const Storage *memory = tiles.of(result))
                                          tiles.storeLanes(*memory, cell, value);
                                      }
                                    }
                                    return reduceRow(sweep, cell, carried);
                                  });
    for (Operation *op : group.ops)
      if (auto reduce = dyn_cast<tile::ReduceOp>(op)) {
        ArrayRef<llvm::Value *> all(sums);
        llvm::Value *sum = acrossLanes(reduce.getKind(), all.take_front(first.shape.parts()));
        sums.erase(sums.begin(), sums.begin() + first.shape.parts());
        code.storeTo(sum, tiles.elementPointer(*tiles.of(reduce.getResult()), row, nullptr), 4);
      }
  });
}

} // namespace sparsec::cpu
