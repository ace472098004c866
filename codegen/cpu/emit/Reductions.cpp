// Reductions along a sweep's rows, a vector a part of the panel. Those that a product does early,
// of full blocks, plan/Masks.cpp has found.
#include "codegen/cpu/emit/Arithmetic.h"
#include "codegen/cpu/emit/Emitter.h"

using namespace mlir;

namespace sparsec::cpu {

llvm::Value *KernelEmitter::combine(tile::ReduceKind kind, llvm::Value *a, llvm::Value *b) {
  bool isFloat = a->getType()->isFPOrFPVectorTy();
  if (kind == tile::ReduceKind::Sum)
    return isFloat ? code.CreateFAdd(a, b) : code.CreateAdd(a, b);
  return isFloat ? code.larger(a, b) : code.CreateSelect(code.CreateICmpSGT(a, b), a, b);
}

/// Those of its own rows, then those that it does early.
static SmallVector<tile::ReduceOp> reductionsOf(const Sweep &sweep) {
  SmallVector<tile::ReduceOp> reductions;
  for (Operation *op : sweep.ops)
    if (auto reduce = dyn_cast<tile::ReduceOp>(op))
      reductions.push_back(reduce);
  llvm::append_range(reductions, sweep.unmasked);
  return reductions;
}

/// What the sweep's reductions are without masks, if its product has them. A sweep without
/// reductions does something else with what it masks.
std::optional<Code::Values> KernelEmitter::unmaskedSums(const Sweep &sweep, const Cell &panel) {
  Code::Values sums;
  for (Operation *op : sweep.ops) {
    if (!isa<tile::ReduceOp>(op))
      continue;
    auto found = panel.unmasked.find(op);
    if (found == panel.unmasked.end())
      return std::nullopt;
    llvm::append_range(sums, found->second);
  }
  return sums.empty() ? std::nullopt : std::optional(sums);
}

/// The neutral element of each reduction, in every lane.
Code::Values KernelEmitter::startReductions(const Sweep &sweep, const PanelShape &shape) {
  Code::Values sums;
  for (tile::ReduceOp reduce : reductionsOf(sweep)) {
    llvm::Type *type = registerType(code, tileType(reduce.getInput()).getElementType());
    llvm::Constant *start = llvm::Constant::getNullValue(type);
    if (reduce.getKind() == tile::ReduceKind::Max)
      start = type->isFloatTy() ? llvm::ConstantFP::getInfinity(type, /*Negative=*/true)
                                : llvm::ConstantInt::get(type, llvm::APInt::getSignedMinValue(
                                                                   type->getIntegerBitWidth()));
    sums.append(shape.parts(), code.CreateVectorSplat(shape.vector, start));
  }
  return sums;
}

void KernelEmitter::endReductions(const Sweep &sweep, Cell &panel, ArrayRef<llvm::Value *> sums) {
  for (tile::ReduceOp reduce : reductionsOf(sweep)) {
    LaneVectors value(sums.take_front(panel.shape.parts()));
    sums = sums.drop_front(panel.shape.parts());
    if (llvm::is_contained(sweep.unmasked, reduce)) {
      panel.unmasked[reduce] = value;
      continue;
    }
    Value result = reduce.getResult();
    panel.known[result] = value;
    if (const Storage *memory = tiles.of(result))
      tiles.storeLanes(*memory, panel, value);
  }
}

/// The reductions so far, with one more row.
Code::Values KernelEmitter::reduceRow(const Sweep &sweep, Cell &cell,
                                      ArrayRef<llvm::Value *> sums) {
  Code::Values next;
  for (tile::ReduceOp reduce : reductionsOf(sweep)) {
    bool early = llvm::is_contained(sweep.unmasked, reduce);
    for (llvm::Value *part :
         lanes(early ? unmasked(flow, reduce.getInput()) : reduce.getInput(), cell)) {
      llvm::Value *sum = sums[next.size()];
      next.push_back(combine(reduce.getKind(), sum, part));
    }
  }
  return next;
}

} // namespace sparsec::cpu
