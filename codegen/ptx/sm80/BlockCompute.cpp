#include "codegen/ptx/sm80/BlockCompute.h"

#include "codegen/ptx/Warp.h"

using namespace mlir;

namespace sparsec::sm80 {
namespace {

/// A product becomes one of a warp, which reads its right operand from shared memory.
LogicalResult multiply(PipelineBuilder &emit, tile::DotOp dot, IRMapping &map) {
  auto type = cast<RankedTensorType>(dot.getResult().getType());
  Value accumulator = dot.getAcc() ? map.lookupOrDefault(dot.getAcc())
                                   : emit.create<arith::ConstantOp>(DenseElementsAttr::get(
                                         type, emit.getF32FloatAttr(0).getValue()));
  Value lhs = map.lookupOrDefault(dot.getLhs()), rhs = map.lookupOrDefault(dot.getRhs());
  if (!isa<warp::BufferType>(rhs.getType()))
    return dot.emitOpError("expected a right operand in shared memory");
  map.map(dot.getResult(),
          emit.create<warp::MmaOp>(type, lhs, rhs, accumulator,
                                   dot.getLhsT() ? emit.getUnitAttr() : UnitAttr(),
                                   dot.getRhsT() ? emit.getUnitAttr() : UnitAttr()));
  return success();
}

LogicalResult clone(PipelineBuilder &emit, Region &region, IRMapping &map) {
  for (Operation &op : region.front().without_terminator()) {
    auto load = dyn_cast<tile::LoadOp>(op);
    if (load && !cast<RankedTensorType>(load.getResult().getType()).getEncoding())
      return op.emitOpError("loads of products belong into the fetch region of their fold");
    auto dot = dyn_cast<tile::DotOp>(op);
    if (!dot)
      emit.clone(op, map);
    else if (failed(multiply(emit, dot, map)))
      return failure();
  }
  return success();
}

/// The arguments of a region, from number `first` on, are the values.
void mapArguments(Region &region, size_t first, ValueRange values, IRMapping &map) {
  for (auto [i, value] : llvm::enumerate(values))
    map.map(region.getArgument(first + i), map.lookupOrDefault(value));
}

} // namespace

FailureOr<SmallVector<Value>> computeBlock(PipelineBuilder &emit, tile::FoldOp fold, IRMapping &map,
                                           ValueRange carries) {
  ValueRange fetched = fold.fetchYield().getOperands(), led = fold.leadYield().getOperands();
  mapArguments(fold.getLead(), 0, fetched, map);
  mapArguments(fold.getStep(), 0, fetched, map);
  if (failed(clone(emit, fold.getLead(), map)))
    return failure();
  mapArguments(fold.getStep(), fetched.size(), led, map);
  mapArguments(fold.getStep(), fetched.size() + led.size(), carries, map);
  if (failed(clone(emit, fold.getStep(), map)))
    return failure();
  SmallVector<Value> yields;
  for (Value value : fold.stepYield().getOperands())
    yields.push_back(map.lookupOrDefault(value));
  return yields;
}

} // namespace sparsec::sm80
