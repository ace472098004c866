// The rows of a masked tile that a panel has anything of (plan/Masks.cpp), found before its sweeps.
// The mask is asked about each row from both ends and about the first that stays, so a block
// without such edges costs two rows of its mask.
#include "codegen/cpu/emit/Emitter.h"

using namespace mlir;

namespace sparsec::cpu {

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
