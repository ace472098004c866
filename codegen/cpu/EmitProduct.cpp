// The register tiles of a product, and what is done with its rows while they are in registers.
#include "codegen/cpu/Emitter.h"

using namespace mlir;

namespace sparsec::cpu {

namespace {

/// How rows are cut into register tiles of at most `most` rows: `larger` of size + 1, then
/// `smaller` of size.
struct RowTiles {
  int64_t size = 0, larger = 0, smaller = 0;

  RowTiles(int64_t rows, int64_t most, int parts) {
    // Two multiply-adds a cycle, each done four cycles later, and as many in reserve.
    constexpr int64_t kEnoughSums = 16;
    for (int64_t one = most; one * parts >= kEnoughSums; --one)
      if (rows % one == 0) {
        // One size: half the code of two.
        size = one, smaller = rows / one;
        return;
      }
    // Nearly one size: 128 rows in sixes are 18 tiles of 6 rows and 4 of 5.
    int64_t tiles = (rows + most - 1) / most;
    size = rows / tiles, larger = rows - tiles * size, smaller = tiles - larger;
  }
};

} // namespace

/// The reductions over the stage's rows.
Code::Values KernelEmitter::emitProduct(const Stage &stage, Cell &panel) {
  DotOperands operands = dotOperands(stage.dot, dims);
  const Storage &broadcast = pairProducts.contains(stage.dot)
                                 ? broadcastPairs[flow.resolve(operands.broadcast)]
                                 : products[stage.dot].second;
  bool rowPointers = broadcast.kind == Storage::Pointers && operands.rowDim == 0;
  RowTiles tiles(stage.rows, rowPointers ? code.level.pointerRows : code.level.rows,
                 panel.shape.parts());
  int64_t begin = 0;
  Code::Values sums = startReductions(stage, panel.shape);
  for (auto [count, rows] :
       {std::pair(tiles.larger, tiles.size + 1), std::pair(tiles.smaller, tiles.size)}) {
    if (count == 0)
      continue;
    int64_t end = begin + count * rows;
    sums = code.loop(code.i64(begin), code.i64(end), rows, sums,
                     [&, rows = rows](llvm::Value *row, ArrayRef<llvm::Value *> carried) {
                       return emitProductRows(stage, panel, row, int(rows), carried);
                     });
    begin = end;
  }
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

/// The sums of a register tile's rows after `steps` steps, each of which adds to all of them: row
/// i's part j is sums[i parts + j]. Two at a time: more are no faster, and take longer to compile.
std::vector<Lanes> KernelEmitter::sumInSteps(
    const std::vector<Lanes> &start, int64_t steps,
    llvm::function_ref<void(llvm::Value *step, MutableArrayRef<llvm::Value *> sums)> add) {
  constexpr int kUnroll = 2;
  Code::Values init;
  for (const Lanes &row : start)
    init.append(row.begin(), row.end());
  Code::Values sums = code.loop(code.i64(0), code.i64(steps), kUnroll, init,
                                [&](llvm::Value *step, ArrayRef<llvm::Value *> carried) {
                                  Code::Values next(carried);
                                  for (int u = 0; u < kUnroll; ++u)
                                    add(code.CreateAdd(step, code.i64(u)), next);
                                  return next;
                                });
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
  return sumInSteps(
      start, operands.sum, [&](llvm::Value *now, MutableArrayRef<llvm::Value *> sums) {
        llvm::Value *lanesAt =
            fromPanel ? code.at(fromPanel, code.CreateMul(now, code.i64(lanesIn.rowStride * 4)))
                      : lanesPointer(lanesIn, panel.panel, now);
        Lanes across;
        for (int part = 0; part < panel.shape.parts(); ++part)
          across.push_back(code.loadAs(vector, code.at(lanesAt, part * panel.shape.vector * 4)));
        llvm::Value *sumRow =
            pointers && operands.rowDim == 1 ? element(row, now) : nullptr; // memory's row `now`
        for (int i = 0; i < count; ++i) {
          llvm::Value *at;
          if (sumRow)
            at = code.at(sumRow, i * 4);
          else if (sumAlongLanes)
            at = element(code.CreateAdd(row, code.i64(i)), now);
          else
            at = code.at(first[i], code.CreateMul(now, code.i64(pointers || broadcast.laneDim !=
                                                                                operands.rowDim
                                                                    ? 4
                                                                    : broadcast.rowStride * 4)));
          llvm::Value *repeated =
              code.CreateVectorSplat(panel.shape.vector, code.loadAs(code.getFloatTy(), at));
          for (auto [part, lane] : llvm::enumerate(across)) {
            llvm::Value *&sum = sums[i * across.size() + part];
            sum = code.multiplyAdd(repeated, lane, sum);
          }
        }
      });
}

} // namespace sparsec::cpu
