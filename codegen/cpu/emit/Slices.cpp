// The lanes that a call computes: all, or a slice of them (plan/Slices.cpp).
#include "codegen/cpu/emit/Emitter.h"

#include "kernel/CpuCall.h"

using namespace mlir;

namespace sparsec::cpu {

void KernelEmitter::beginSlices() {
  if (plan.slices.laneClass == Group::kSerial)
    return;
  int64_t lanes = plan.slices.lanes;
  llvm::Value *x = frame.function->getArg(1), *width = code.i64(lanes / plan.slices.count);
  llvm::Value *number = code.CreateZExt(code.CreateLShr(x, kSliceShift), code.getInt64Ty());
  llvm::Value *isWhole = code.CreateICmpEQ(number, code.i64(0));
  llvm::Value *end = code.CreateMul(number, width);
  slice.begin = code.CreateSelect(isWhole, code.i64(0), code.CreateSub(end, width));
  slice.end = code.CreateSelect(isWhole, code.i64(lanes), end);
  positions.sliceRow = code.CreateAnd(x, code.getInt32((1 << kSliceShift) - 1));
}

/// Of `count` things along a dimension of this class, `each` lanes long: those that are computed.
std::pair<llvm::Value *, llvm::Value *> KernelEmitter::sliceOf(int laneClass, int64_t count,
                                                               int64_t each) {
  if (plan.slices.laneClass == Group::kSerial || plan.slices.laneClass != laneClass)
    return {code.i64(0), code.i64(count)};
  return {code.CreateUDiv(slice.begin, code.i64(each)), code.CreateUDiv(slice.end, code.i64(each))};
}

} // namespace sparsec::cpu
