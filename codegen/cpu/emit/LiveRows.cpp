// The keys of a partial block that any query of a panel attends to.
//
//   on the diagonal of a causal pattern      at the far edge of a local one
//   panel 0   x x . . . . . .                panel 0   x x x x x x x x      x  computed
//   panel 1   x x x x . . . .                panel 1   . . x x x x x x      .  left out
//   panel 2   x x x x x x . .                panel 2   . . . . x x x x
//
// Rows that the mask leaves nothing of are left out from both ends, of the scores, of what is done
// with them, and of the sums over them. The mask is asked about each of them and about the first
// that stays, so a block without such edges costs two rows of its mask.
#include "codegen/cpu/emit/Emitter.h"
#include "codegen/cpu/plan/Exponents.h"

using namespace mlir;

namespace sparsec::cpu {

/// Whether a value can be computed before the group's sweeps: from what was there before.
bool KernelEmitter::isComputable(Value value, const Group &group) {
  value = flow.resolve(value);
  if (!tileType(value))
    return true;
  Operation *op = value.getDefiningOp();
  if (storage.contains(value))
    return !llvm::is_contained(group.ops, op);
  return op && (flow.isFree(value) || isElementwise(op)) &&
         llvm::all_of(op->getOperands(),
                      [&](Value operand) { return isComputable(operand, group); });
}

/// The mask whose empty rows nobody in the group would miss; null where there is none.
tile::MaskOp KernelEmitter::maskOfRows(const Group &group) {
  tile::MaskOp mask;
  for (Operation *op : group.ops)
    if (auto each = dyn_cast<tile::MaskOp>(op)) {
      if (mask)
        return nullptr;
      mask = each;
    }
  if (!isPartial || !mask || !isComputable(mask.getAttend(), group))
    return nullptr;
  int rows = dims.classOf(mask.getResult(), 1 - dims.laneDim(mask.getResult()));
  auto hasRows = [&](Value value) {
    return isMatrix(value) && dims.classOf(value, 1 - dims.laneDim(value)) == rows;
  };
  auto staysHere = [&](Value value) {
    auto found = storage.find(value);
    return found == storage.end() || found->second.local;
  };
  bool missed = llvm::any_of(group.ops, [&](Operation *op) {
    if (auto dot = dyn_cast<tile::DotOp>(op)) {
      DotOperands operands = dotOperands(dot, dims);
      if (pairProducts.contains(op))
        return true;
      if (dims.classOf(operands.lanes, 1 - operands.lanesDim) == rows)
        return !isZeroWhereMasked(flow, operands.lanes, mask);
    }
    if (auto reduce = dyn_cast<tile::ReduceOp>(op))
      return hasRows(reduce.getInput()) &&
             (reduce.getKind() == tile::ReduceKind::Sum
                  ? !isZeroWhereMasked(flow, reduce.getInput(), mask)
                  : flow.resolve(reduce.getInput()) != mask.getResult());
    if (isa<tile::StoreOp, tile::AccumulateOp>(op))
      return hasRows(op->getOperand(0));
    return hasRows(op->getResult(0)) && !staysHere(op->getResult(0));
  });
  return missed ? nullptr : mask;
}

/// In steps of those that sums are unrolled by.
LiveRows KernelEmitter::findLiveRows(tile::MaskOp mask, const Cell &panel) {
  Value masked = mask.getResult();
  int laneDim = dims.laneDim(masked);
  llvm::Value *rows = code.i64(tileType(masked).getDimSize(1 - laneDim)), *none = code.i64(0);
  auto isEmpty = [&](llvm::Value *row) {
    Cell cell = panel.atRow(row, laneDim);
    llvm::Value *any = nullptr;
    for (llvm::Value *part : lanes(mask.getAttend(), cell))
      any = any ? code.CreateOr(any, part) : part;
    return code.CreateNot(code.CreateOrReduce(any));
  };
  auto inSteps = [&](llvm::Value *count) { return code.CreateAnd(count, code.i64(-kStepsAtOnce)); };
  Code::Values found = code.choose(
      isPartial,
      [&]() -> Code::Values {
        // From the first row on, then from the last one.
        Code::Values ends =
            code.loop(none, code.i64(2), 1, {none, none},
                      [&](llvm::Value *turn, ArrayRef<llvm::Value *> carried) -> Code::Values {
                        llvm::Value *isSecond = code.CreateICmpNE(turn, none);
                        llvm::Value *most = code.CreateSub(rows, carried[1]);
                        llvm::Value *count = code.countWhile(most, [&](llvm::Value *i) {
                          llvm::Value *fromEnd =
                              code.CreateSub(code.CreateSub(rows, code.i64(1)), i);
                          return isEmpty(code.CreateSelect(isSecond, fromEnd, i));
                        });
                        return {carried[1], count};
                      });
        return {inSteps(ends[0]), code.CreateSub(rows, inSteps(ends[1]))};
      },
      [&]() -> Code::Values {
        return {none, rows};
      });
  return {dims.classOf(masked, 1 - laneDim), found[0], found[1]};
}

/// Of a sweep's rows, or of the steps of a product's sum.
std::pair<llvm::Value *, llvm::Value *> KernelEmitter::liveRange(int rowClass, int64_t rows,
                                                                 const Cell &panel) {
  if (panel.live.begin && panel.live.rowClass == rowClass)
    return {panel.live.begin, panel.live.end};
  return {code.i64(0), code.i64(rows)};
}

} // namespace sparsec::cpu
