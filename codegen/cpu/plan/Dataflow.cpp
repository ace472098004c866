#include "codegen/cpu/plan/Dataflow.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace sparsec::cpu {

RankedTensorType tileType(Value value) {
  return dyn_cast<RankedTensorType>(value.getType());
}
bool isMatrix(Value value) {
  RankedTensorType type = tileType(value);
  return type && type.getRank() == 2;
}
bool isVector(Value value) {
  RankedTensorType type = tileType(value);
  return type && type.getRank() == 1;
}

bool isElementwise(Operation *op) {
  if (op->getNumResults() != 1 || !tileType(op->getResult(0)) || isa<arith::ConstantOp>(op))
    return false;
  return isa<tile::MaskOp, tile::LookupOp>(op) ||
         isa<arith::ArithDialect, math::MathDialect>(op->getDialect());
}

SmallVector<Operation *> Dataflow::body(Operation *loop) {
  SmallVector<Operation *> ops;
  for (Region &region : loop->getRegions())
    for (Operation &op : region.front().without_terminator())
      ops.push_back(&op);
  return ops;
}

Dataflow::Dataflow(tile::KernelOp kernel) {
  kernel.walk<WalkOrder::PreOrder>([&](tile::FoldOp fold) {
    Block &lead = fold.getLead().front(), &step = fold.getStep().front();
    OperandRange fetched = fold.fetchYield().getValues(), led = fold.leadYield().getValues();
    for (auto [argument, value] : llvm::zip(lead.getArguments(), fetched))
      names[argument] = value;
    for (auto [argument, value] : llvm::zip(step.getArguments(), fetched))
      names[argument] = value;
    for (auto [argument, value] : llvm::zip(step.getArguments().drop_front(fetched.size()), led))
      names[argument] = value;
  });
  findDeferred(kernel);
  kernel.walk([&](Operation *op) {
    if (op == kernel || isDeferred(op) || (op->getNumResults() == 1 && isFree(op->getResult(0))))
      return;
    // What fetch and lead yield is read under its names, by the steps' own operations.
    if (auto yield = dyn_cast<tile::YieldOp>(op);
        yield && yield->getParentRegion() != &yield->getParentOfType<tile::FoldOp>().getStep())
      return;
    for (Value operand : op->getOperands())
      countReads(op, operand);
  });
}

Value Dataflow::resolve(Value value) const {
  for (auto found = names.find(value); found != names.end(); found = names.find(value))
    value = found->second;
  return value;
}

bool Dataflow::isFree(Value value) const {
  Operation *op = resolve(value).getDefiningOp();
  return op && isa<arith::ConstantOp, tile::SplatOp, tile::ExpandOp>(op);
}

void Dataflow::countReads(Operation *reader, Value value) {
  value = resolve(value);
  Operation *op = value.getDefiningOp();
  if (op && (isDeferred(op) || isFree(value))) {
    for (Value operand : op->getOperands())
      countReads(reader, operand);
    return;
  }
  auto &list = readersOf[value];
  if (!llvm::is_contained(list, reader))
    list.push_back(reader);
}

ArrayRef<Operation *> Dataflow::readers(Value value) const {
  auto found = readersOf.find(value);
  return found == readersOf.end() ? ArrayRef<Operation *>() : ArrayRef(found->second);
}

/// Every use is the accumulator of one product.
bool Dataflow::readOnlyByAccumulator(Operation *op) const {
  if (!op->hasOneUse())
    return false;
  OpOperand &use = *op->use_begin();
  auto dot = dyn_cast<tile::DotOp>(use.getOwner());
  if (dot)
    return dot.getAcc() == use.get() && dot.getLhs() != use.get() && dot.getRhs() != use.get() &&
           dot->getBlock() == op->getBlock();
  return isElementwise(use.getOwner()) && use.getOwner()->getBlock() == op->getBlock() &&
         readOnlyByAccumulator(use.getOwner());
}

/// Products take their operands from where they lie.
bool Dataflow::isWidenedLoad(Operation *op) const {
  auto widen = dyn_cast<arith::ExtFOp>(op);
  return widen && resolve(widen.getIn()).getDefiningOp<tile::LoadOp>() &&
         llvm::all_of(op->getUsers(), [](Operation *user) {
           return isElementwise(user) || isa<tile::ReduceOp>(user);
         });
}

void Dataflow::findDeferred(tile::KernelOp kernel) {
  kernel.walk([&](Operation *op) {
    if (isElementwise(op) && isMatrix(op->getResult(0)) &&
        (readOnlyByAccumulator(op) || isWidenedLoad(op)))
      deferred.insert(op);
  });
}

} // namespace sparsec::cpu
