// A row of blocks in slices, some panels of queries each, for workers who would have nothing to do.
//
//   x = row                          the whole row
//   x = row | (slice + 1) << 24      one of KernelInfo::slices of it
//
// Lanes do not meet in a panel, so a kernel falls into slices where nothing reads what another
// panel's lanes hold. A slice loads the same keys as the whole row, which is why rows stay whole
// while there are enough of them.
#include "codegen/cpu/plan/Planner.h"

#include <numeric>

using namespace mlir;

namespace sparsec::cpu {

/// Whether a slice has only its own lanes of a value.
bool Planner::isSliced(Value value, int laneClass) const {
  if (!tileType(value) || plan.dims.laneClass(value) != laneClass)
    return false;
  Operation *op = value.getDefiningOp();
  return !op || op->getNumRegions() || loopPlan.laneClass(op) == laneClass;
}

bool Planner::fallsIntoSlices(ArrayRef<Operation *> ops, int laneClass) const {
  for (const Group &group : loopPlan.groups(ops))
    for (Operation *op : group.ops) {
      if (op->getNumRegions()) { // what its carries start from is copied, whatever lanes it has
        if (!fallsIntoSlices(Dataflow::body(op), laneClass))
          return false;
        continue;
      }
      for (const Read &read : loopPlan.reads(op))
        if (isSliced(read.value, laneClass) && !isa<tile::StoreOp>(op) &&
            (group.laneClass != laneClass || read.access == Access::Whole ||
             plan.dims.isAlongLanes(op)))
          return false;
    }
  return true;
}

/// The lanes of what the kernel stores, and how many slices of them there are; 1 where they cannot
/// be told apart.
Slices Planner::findSlices(ArrayRef<Operation *> ops) const {
  Slices slices;
  bool fits = true;
  plan.kernel.walk([&](Operation *op) {
    if (auto work = dyn_cast<tile::WorkOp>(op))
      fits &= work.getKind() == tile::WorkKind::Rows;
    fits &= !isa<tile::AccumulateOp>(op);
    auto store = dyn_cast<tile::StoreOp>(op);
    if (!store)
      return;
    Value value = store.getValue();
    int mine = plan.dims.laneClass(value);
    fits &= !store.getColumns() && (slices.laneClass == Group::kSerial || slices.laneClass == mine);
    slices.laneClass = mine;
    slices.lanes = tileType(value).getDimSize(plan.dims.laneDim(value));
  });
  if (!fits || slices.laneClass == Group::kSerial || !fallsIntoSlices(ops, slices.laneClass))
    return {};
  constexpr int64_t kMost = 4; // each copies all values
  slices.count = int(std::gcd(plan.panels.shape(slices.lanes).panels(), kMost));
  return slices.count == 1 ? Slices{} : slices;
}

} // namespace sparsec::cpu
