// What a plan makes of masks in a fold over all blocks of a row, of which some have masks.
//
// Of a full block masks keep everything, so what is reduced of a masked product is reduced of its
// rows while they are in registers. Blocks with masks have a sweep for it after the product.
//
// Of a partial block the rows that no query of a panel attends to are left out from both ends: of
// the scores, of what is done with them, and of the sums over them.
//
//   on the diagonal of a causal pattern      at the far edge of a local one
//   panel 0   x x . . . . . .                panel 0   x x x x x x x x      x  computed
//   panel 1   x x x x . . . .                panel 1   . . x x x x x x      .  left out
//   panel 2   x x x x x x . .                panel 2   . . . . x x x x
#include "codegen/cpu/plan/Exponents.h"
#include "codegen/cpu/plan/Planner.h"

using namespace mlir;

namespace sparsec::cpu {

//===-- Reductions of full blocks ------------------------------------------------------------===//

/// Reductions that a full block's product does: those of a sweep of nothing but masks of its rows,
/// in place, and reductions of them.
void Planner::findUnmasked(std::vector<Sweep> &sweeps) const {
  if (!masks)
    return;
  auto unmaskedOf = [&](Value value) { return unmasked(plan.flow, value); };
  auto sweepOf = [&](Value value) {
    Operation *op = value.getDefiningOp();
    return llvm::find_if(sweeps, [&](const Sweep &sweep) {
      return sweep.dot && (sweep.dot == op || llvm::is_contained(sweep.ops, op));
    });
  };
  auto keepsPlace = [&](tile::MaskOp mask) {
    int made = plan.placeFor(mask.getResult());
    return made == kNowhere || made == plan.placeFor(unmaskedOf(mask.getResult()));
  };
  for (const Sweep &sweep : sweeps) {
    SmallVector<tile::ReduceOp> reductions;
    bool others = false;
    for (Operation *op : sweep.ops) {
      auto reduce = dyn_cast<tile::ReduceOp>(op);
      auto mask = dyn_cast<tile::MaskOp>(op);
      if (reduce)
        reductions.push_back(reduce);
      others |= mask ? !keepsPlace(mask) : !reduce && !isForMasksAlone(op);
    }
    if (sweep.dot || others || reductions.empty())
      continue;
    auto product = sweepOf(unmaskedOf(reductions.front().getInput()));
    if (product != sweeps.end() && llvm::all_of(reductions, [&](tile::ReduceOp reduce) {
          return sweepOf(unmaskedOf(reduce.getInput())) == product;
        }))
      llvm::append_range(product->unmasked, reductions);
  }
}

//===-- Rows without anything ----------------------------------------------------------------===//

/// Whether a value can be computed before the group's sweeps: from what was there before.
bool Planner::isComputable(Value value, const Group &group) const {
  value = plan.flow.resolve(value);
  if (!tileType(value))
    return true;
  Operation *op = value.getDefiningOp();
  if (plan.placeFor(value) != kNowhere)
    return !llvm::is_contained(group.ops, op);
  return op && (plan.flow.isFree(value) || isElementwise(op)) &&
         llvm::all_of(op->getOperands(),
                      [&](Value operand) { return isComputable(operand, group); });
}

/// Whether an operation of the group would miss rows of this class that the mask leaves empty.
bool Planner::misses(Operation *op, tile::MaskOp mask, int rows) const {
  auto hasRows = [&](Value value) { return isMatrix(value) && plan.dims.rowClass(value) == rows; };
  auto staysHere = [&](Value value) {
    int place = plan.placeFor(value);
    return place == kNowhere || plan.places[place].form == Form::OnePanel;
  };
  if (auto dot = dyn_cast<tile::DotOp>(op)) {
    const Product &product = plan.products.find(op)->second;
    const DotOperands &operands = product.operands;
    if (!product.kind->leavesOutRows)
      return true;
    if (plan.dims.classOf(operands.lanes, 1 - operands.lanesDim) == rows)
      return !isZeroWhereMasked(plan.flow, operands.lanes, mask);
  }
  if (auto reduce = dyn_cast<tile::ReduceOp>(op))
    return hasRows(reduce.getInput()) &&
           (reduce.getKind() == tile::ReduceKind::Sum
                ? !isZeroWhereMasked(plan.flow, reduce.getInput(), mask)
                : plan.flow.resolve(reduce.getInput()) != mask.getResult());
  if (isa<tile::StoreOp, tile::AccumulateOp>(op))
    return hasRows(op->getOperand(0));
  return hasRows(op->getResult(0)) && !staysHere(op->getResult(0));
}

/// The mask whose empty rows nobody in the group would miss; null where there is none.
tile::MaskOp Planner::maskOfRows(const Group &group) const {
  tile::MaskOp mask;
  for (Operation *op : group.ops)
    if (auto each = dyn_cast<tile::MaskOp>(op)) {
      if (mask)
        return nullptr;
      mask = each;
    }
  if (!masks || !mask || !isComputable(mask.getAttend(), group))
    return nullptr;
  int rows = plan.dims.rowClass(mask.getResult());
  bool missed = llvm::any_of(group.ops, [&](Operation *op) { return misses(op, mask, rows); });
  return missed ? nullptr : mask;
}

} // namespace sparsec::cpu
