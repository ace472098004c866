// A row of blocks in slices, some panels of queries each, for workers who would have nothing to do.
//
//   x = row                          the whole row
//   x = row | (slice + 1) << 24      one of KernelInfo::slices of it
//
// Lanes do not meet in a panel, so a kernel falls into slices where nothing reads what another
// panel's lanes hold. A slice loads the same keys as the whole row, which is why rows stay whole
// while there are enough of them.
#include "codegen/cpu/emit/Emitter.h"

#include "kernel/CpuCall.h"

#include <numeric>

using namespace mlir;

namespace sparsec::cpu {

/// Whether a slice has only its own lanes of a value.
bool KernelEmitter::isSliced(Value value, int laneClass) const {
  if (!tileType(value) || dims.laneClass(value) != laneClass)
    return false;
  Operation *op = value.getDefiningOp();
  return !op || op->getNumRegions() || loopPlan.laneClass(op) == laneClass;
}

bool KernelEmitter::fallsIntoSlices(ArrayRef<Operation *> ops, int laneClass) const {
  for (const Group &group : loopPlan.groups(ops))
    for (Operation *op : group.ops) {
      if (op->getNumRegions()) { // what its carries start from is copied, whatever lanes it has
        if (!fallsIntoSlices(Dataflow::body(op), laneClass))
          return false;
        continue;
      }
      for (const Read &read : loopPlan.reads(op))
        if (isSliced(read.value, laneClass) && !isa<tile::StoreOp>(op) &&
            (group.laneClass != laneClass || read.access == Access::Whole || dims.isAlongLanes(op)))
          return false;
    }
  return true;
}

/// The lanes of what the kernel stores, and how many slices of them there are; 1 where they cannot
/// be told apart.
int KernelEmitter::findSlices(ArrayRef<Operation *> ops) {
  int laneClass = Group::kSerial;
  int64_t lanes = 0;
  bool fits = true;
  kernel.walk([&](Operation *op) {
    if (auto work = dyn_cast<tile::WorkOp>(op))
      fits &= work.getKind() == tile::WorkKind::Rows;
    fits &= !isa<tile::AccumulateOp>(op);
    auto store = dyn_cast<tile::StoreOp>(op);
    if (!store)
      return;
    Value value = store.getValue();
    int mine = dims.laneClass(value);
    fits &= !store.getColumns() && (laneClass == Group::kSerial || laneClass == mine);
    laneClass = mine;
    lanes = tileType(value).getDimSize(dims.laneDim(value));
  });
  if (!fits || laneClass == Group::kSerial || !fallsIntoSlices(ops, laneClass))
    return 1;
  constexpr int64_t kMost = 4; // each copies all values
  int64_t slices = std::gcd(code.shape(lanes).panels(), kMost);
  if (slices == 1)
    return 1;
  llvm::Value *x = function->getArg(1), *width = code.i64(lanes / slices);
  llvm::Value *number = code.CreateZExt(code.CreateLShr(x, kSliceShift), code.getInt64Ty());
  llvm::Value *isWhole = code.CreateICmpEQ(number, code.i64(0));
  llvm::Value *end = code.CreateMul(number, width);
  slice.laneClass = laneClass;
  slice.begin = code.CreateSelect(isWhole, code.i64(0), code.CreateSub(end, width));
  slice.end = code.CreateSelect(isWhole, code.i64(lanes), end);
  slice.row = code.CreateAnd(x, code.getInt32((1 << kSliceShift) - 1));
  return int(slices);
}

/// Of `count` things along a dimension of this class, `each` lanes long: those that are computed.
std::pair<llvm::Value *, llvm::Value *> KernelEmitter::sliceOf(int laneClass, int64_t count,
                                                               int64_t each) {
  if (slice.laneClass == Group::kSerial || slice.laneClass != laneClass)
    return {code.i64(0), code.i64(count)};
  return {code.CreateUDiv(slice.begin, code.i64(each)), code.CreateUDiv(slice.end, code.i64(each))};
}

} // namespace sparsec::cpu
