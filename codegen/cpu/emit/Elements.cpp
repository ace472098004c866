// The lanes of one row: what a value is there, and arithmetic on it.
#include "codegen/cpu/emit/Arithmetic.h"
#include "codegen/cpu/emit/Emitter.h"

#include "mlir/IR/TypeUtilities.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace sparsec::cpu {

LaneVectors KernelEmitter::lanes(Value value, Cell &cell) {
  value = flow.resolve(value);
  if (auto found = cell.known.find(value); found != cell.known.end())
    return found->second;
  if (cell.vectors)
    if (auto found = cell.vectors->find(value); found != cell.vectors->end())
      return found->second;
  if (const Storage *memory = tiles.of(value))
    return cell.known[value] = tiles.loadLanes(*memory, cell);
  return cell.known[value] = computeLanes(value, value.getDefiningOp(), cell);
}

/// What is free or deferred.
LaneVectors KernelEmitter::computeLanes(Value value, Operation *op, Cell &cell) {
  auto repeat = [&](llvm::Value *scalar) {
    return LaneVectors(cell.shape.parts(), code.CreateVectorSplat(cell.shape.vector, scalar));
  };
  if (auto constantOp = dyn_cast<arith::ConstantOp>(op))
    return repeat(constant(code, constantOp.getValue()));
  if (auto splat = dyn_cast<tile::SplatOp>(op))
    return repeat(frame.scalar(splat.getScalar()));
  if (auto expand = dyn_cast<tile::ExpandOp>(op)) {
    bool acrossLanes = (expand.getDim() == 1 ? 0 : 1) == cell.laneDim;
    if (acrossLanes || flow.isFree(expand.getInput()))
      return lanes(expand.getInput(), cell);
    const Storage &from = *tiles.of(expand.getInput());
    llvm::Value *element = code.loadAs(from.type, tiles.elementPointer(from, cell.row, nullptr), 1);
    if (tileType(expand.getInput()).getElementType().isInteger(1))
      element = code.CreateICmpNE(element, code.getInt8(0));
    return repeat(element);
  }
  if (auto mask = dyn_cast<tile::MaskOp>(op); mask && inFullBlock)
    return lanes(mask.getScores(), cell);
  if (auto decay = plan.decays.find(op); decay != plan.decays.end()) {
    arith::SubFOp difference = decay->second;
    LaneVectors a = lanes(difference.getLhs(), cell);
    return code.exp2OfDecay(a, lanes(difference.getRhs(), cell));
  }
  SmallVector<LaneVectors> operands;
  for (Value operand : op->getOperands())
    operands.push_back(tileType(operand) ? lanes(operand, cell) : repeat(frame.scalar(operand)));
  LaneVectors result;
  for (int part = 0; part < cell.shape.parts(); ++part) {
    SmallVector<llvm::Value *> each;
    for (const LaneVectors &operand : operands)
      each.push_back(operand[part]);
    result.push_back(arithmetic(code, op, each));
  }
  return result;
}

} // namespace sparsec::cpu
