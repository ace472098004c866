// assign-encodings: every tensor that lives in registers gets an encoding, which says what each
// thread holds of it.
//
//   %s = tile.dot ...                 : tensor<64x64xf32>       the anchor: a tile (Encodings.h)
//   %m = tile.reduce max %s {dim = 1} : tensor<64xf32>          so a value per row of it
//   %e = tile.expand %m {dim = 1}     : tensor<64x64xf32>       and back
//
// Demands run backwards from products, stores and row reductions; every operation passes on what
// its operands must be. A value that is wanted two ways (a constant, or positions used for rows and
// for columns) is computed twice; only values without side effects and without loops may be.
// Tiles that products read from shared memory keep no encoding; other loads go to registers.
#include "codegen/common/Carries.h"
#include "codegen/ptx/Passes.h"
#include "codegen/ptx/sm80/Encodings.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace sparsec {
#define GEN_PASS_DEF_ASSIGNENCODINGS
#include "codegen/ptx/Passes.h.inc"

namespace {

using sm80::Encodings;

bool isTensor(Value value) {
  return isa<RankedTensorType>(value.getType());
}
bool isElementwise(Operation *op) {
  return OpTrait::hasElementwiseMappableTraits(op) || isa<tile::MaskOp>(op);
}
/// A tile that products read from shared memory.
bool isShared(Value value) {
  if (value.getDefiningOp<tile::LoadOp>())
    return true;
  auto argument = dyn_cast<BlockArgument>(value);
  auto fold = argument ? dyn_cast<tile::FoldOp>(argument.getOwner()->getParentOp()) : nullptr;
  if (!fold || argument.getOwner()->getParent() == &fold.getFetch())
    return false;
  auto yields = fold.fetchYield();
  return argument.getArgNumber() < yields.getNumOperands() &&
         isShared(yields.getOperand(argument.getArgNumber()));
}
/// Whether products read a tile, by its own name or by those that a fold's regions have for it.
bool isMultiplied(Value tile) {
  return llvm::any_of(tile.getUses(), [](OpOperand &use) {
    if (auto dot = dyn_cast<tile::DotOp>(use.getOwner()))
      return use.get() != dot.getAcc();
    auto fold = dyn_cast<tile::FoldOp>(use.getOwner()->getParentOp());
    if (!fold || use.getOwner() != fold.fetchYield())
      return false;
    unsigned number = use.getOperandNumber();
    return isMultiplied(fold.getLead().getArgument(number)) ||
           isMultiplied(fold.getStep().getArgument(number));
  });
}

/// What takes tiles and makes none: they are held as it asks.
bool leavesRegisters(Operation *op) {
  auto reduce = dyn_cast<tile::ReduceOp>(op);
  return isa<tile::StoreOp, tile::RowsAtOp>(op) || (reduce && !isTensor(reduce.getResult()));
}

class Assignment {
public:
  Assignment(tile::KernelOp kernel, const Encodings &as) : kernel(kernel), as(as) {}

  LogicalResult run() {
    if (failed(seed()))
      return failure();
    while (!pending.empty()) {
      auto [value, encoding] = pending.pop_back_val();
      if (failed(pass(value, encoding)))
        return failure();
    }
    return apply();
  }

private:
  tile::KernelOp kernel;
  Encodings as;
  llvm::MapVector<Value, llvm::SmallSetVector<Attribute, 2>> demands;
  SmallVector<std::pair<Value, Attribute>> pending;
  DenseMap<std::pair<Value, Attribute>, Value> made;

  void demand(Value value, Attribute encoding) {
    if (isTensor(value) && demands[value].insert(encoding))
      pending.push_back({value, encoding});
  }

  /// What an operand must be for the operation's result to be `encoding`; null: not in registers.
  FailureOr<Attribute> wanted(OpOperand &operand, Attribute encoding) {
    Operation *op = operand.getOwner();
    if (isElementwise(op))
      return encoding;
    if (auto expand = dyn_cast<tile::ExpandOp>(op))
      return Attribute(expand.getDim() == 1 ? as.rows : as.columns);
    if (isa<tile::RowsAtOp>(op))
      return Attribute(as.rows);
    if (isa<tile::ReduceOp, tile::StoreOp>(op)) // a vector becomes a scalar, or is stored
      return cast<RankedTensorType>(operand.get().getType()).getRank() == 2
                 ? as.tile
                 : Attribute(as.ofVector(operand.get()));
    if (auto dot = dyn_cast<tile::DotOp>(op)) {
      if (operand.get() == dot.getAcc())
        return as.tile;
      if (isShared(operand.get()))
        return Attribute();
      if (operand.get() == dot.getRhs())
        return dot.emitOpError("a right operand that is not loaded is not lowered to warps yet");
      if (dot.getLhsT())
        return dot.emitOpError("a transposed left operand that is not loaded is not lowered to "
                               "warps yet");
      return as.tile;
    }
    return op->emitOpError("is not lowered to warps yet");
  }

  LogicalResult demandOperands(Operation *op, Attribute encoding) {
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isTensor(operand.get()))
        continue;
      FailureOr<Attribute> attribute = wanted(operand, encoding);
      if (failed(attribute))
        return failure();
      if (*attribute)
        demand(operand.get(), *attribute);
    }
    return success();
  }

  LogicalResult seed() {
    WalkResult result = kernel.walk([&](Operation *op) -> WalkResult {
      if (auto dot = dyn_cast<tile::DotOp>(op))
        demand(dot.getResult(), as.tile);
      else if (leavesRegisters(op))
        return demandOperands(op, {});
      auto load = dyn_cast<tile::LoadOp>(op);
      if (load && load.getRows().getType().getOrder() == tile::OrderKind::Gathered &&
          isMultiplied(load.getResult()))
        return op->emitOpError("gathered rows of products are not lowered to warps yet");
      return success();
    });
    return failure(result.wasInterrupted());
  }

  /// A value is wanted as `encoding`: what follows for where it comes from.
  LogicalResult pass(Value value, Attribute encoding) {
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      Operation *owner = argument.getOwner()->getParentOp();
      if (auto fold = dyn_cast<tile::FoldOp>(owner)) {
        passArgument(fold, argument, encoding);
      } else if (auto loop = dyn_cast<scf::ForOp>(owner)) {
        passCarry(loop, argument.getArgNumber() - loop.getNumInductionVars(), encoding);
      } else {
        return kernel.emitOpError("tensor arguments are not lowered to warps");
      }
      return success();
    }
    Operation *op = value.getDefiningOp();
    if (isLoop(op)) {
      passCarry(op, cast<OpResult>(value).getResultNumber(), encoding);
      return success();
    }
    if (isa<tile::LoadOp>(op) && isMultiplied(value))
      return op->emitOpError(
          "a tile of products that is used elsewhere too is not lowered to warps "
          "yet");
    if (isa<arith::ConstantOp, tile::SplatOp, tile::PositionsOp, tile::LoadOp>(op))
      return success();
    return demandOperands(op, encoding);
  }

  void passCarry(Operation *loop, unsigned index, Attribute encoding) {
    Carries carries = carriesOf(loop);
    demand(carries.results[index], encoding);
    demand(carries.init[index], encoding);
    demand(carries.arguments[index], encoding);
    demand(carries.yields[index], encoding);
  }

  void passArgument(tile::FoldOp fold, BlockArgument argument, Attribute encoding) {
    unsigned number = argument.getArgNumber(), fetched = fold.fetchYield().getNumOperands();
    unsigned led = fold.leadYield().getNumOperands();
    if (number < fetched) { // one value, by the names of both regions
      demand(fold.fetchYield().getOperand(number), encoding);
      demand(fold.getLead().getArgument(number), encoding);
      demand(fold.getStep().getArgument(number), encoding);
    } else if (number < fetched + led) {
      demand(fold.leadYield().getOperand(number - fetched), encoding);
    } else {
      passCarry(fold, number - fetched - led, encoding);
    }
  }

  //===-- Applying ----------------------------------------------------------------------------===//

  static RankedTensorType encoded(Type type, Attribute encoding) {
    auto tensor = cast<RankedTensorType>(type);
    return RankedTensorType::get(tensor.getShape(), tensor.getElementType(), encoding);
  }

  /// One encoding only: what cannot be computed twice.
  LogicalResult setOnly(Value value, Location loc) {
    auto found = demands.find(value);
    if (found == demands.end() || !isTensor(value))
      return success();
    if (found->second.size() != 1)
      return emitError(loc,
                       "a value that cannot be computed twice is wanted by rows and by columns");
    Attribute encoding = found->second[0];
    value.setType(encoded(value.getType(), encoding));
    made[{value, encoding}] = value;
    return success();
  }

  LogicalResult setOperands(Operation *op, Attribute encoding) {
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isTensor(operand.get()))
        continue;
      FailureOr<Attribute> attribute = wanted(operand, encoding);
      if (failed(attribute))
        return failure();
      if (*attribute)
        operand.set(made.lookup({operand.get(), *attribute}));
    }
    return success();
  }

  static void setResultType(Operation *op, Attribute encoding) {
    Value result = op->getResult(0);
    RankedTensorType type = encoded(result.getType(), encoding);
    if (auto constant = dyn_cast<arith::ConstantOp>(op))
      constant.setValueAttr(cast<DenseElementsAttr>(constant.getValue()).reshape(type));
    result.setType(type);
  }

  /// 16-bit left operands move from where the accumulator had them to where mma wants them.
  void convertLhs(tile::DotOp dot) {
    auto type = dyn_cast<RankedTensorType>(dot.getLhs().getType());
    if (isShared(dot.getLhs()) || type.getElementType().isF32())
      return;
    OpBuilder builder(dot);
    dot.getLhsMutable().assign(
        warp::ConvertOp::create(builder, dot.getLoc(), encoded(type, as.lhs), dot.getLhs()));
  }

  LogicalResult applyTo(Operation *op) {
    if (isLoop(op))
      return applyToLoop(op);
    if (isa<tile::YieldOp, scf::YieldOp>(op)) {
      setYield(op);
      return success();
    }
    if (leavesRegisters(op))
      return setOperands(op, {});
    if (op->getNumResults() != 1 || !isTensor(op->getResult(0)))
      return success();
    auto found = demands.find(op->getResult(0));
    if (found == demands.end())
      return success(); // dead
    SmallVector<Operation *, 2> copies = {op};
    while (copies.size() < found->second.size()) {
      copies.push_back(op->clone());
      op->getBlock()->getOperations().insertAfter(Block::iterator(op), copies.back());
    }
    for (auto [copy, encoding] : llvm::zip(copies, found->second)) {
      if (failed(setOperands(copy, encoding)))
        return failure();
      setResultType(copy, encoding);
      made[{op->getResult(0), encoding}] = copy->getResult(0);
    }
    if (auto dot = dyn_cast<tile::DotOp>(op))
      convertLhs(dot);
    return success();
  }

  LogicalResult applyToLoop(Operation *loop) {
    Carries carries = carriesOf(loop);
    if (carries.init.empty())
      return success();
    unsigned first = carries.init.getBeginOperandIndex();
    for (OpResult result : carries.results) {
      if (failed(setOnly(result, loop->getLoc())))
        return failure();
      replaceByDemand(loop->getOpOperand(first + result.getResultNumber()), result);
    }
    return success();
  }

  /// Makes an operand what the carry it feeds is.
  void replaceByDemand(OpOperand &operand, Value carry) {
    auto type = dyn_cast<RankedTensorType>(carry.getType());
    if (type && type.getEncoding())
      operand.set(made.lookup({operand.get(), type.getEncoding()}));
  }

  void setYield(Operation *yield) {
    for (OpOperand &operand : yield->getOpOperands())
      if (Value name = nameOf(operand))
        replaceByDemand(operand, name);
  }

  /// The argument by which a loop goes on with what it yields; null where there is none.
  static Value nameOf(OpOperand &yielded) {
    Operation *yield = yielded.getOwner(), *loop = yield->getParentOp();
    unsigned number = yielded.getOperandNumber();
    if (auto fold = dyn_cast<tile::FoldOp>(loop); fold && yield != fold.stepYield())
      return fold.getStep().getArgument(
          yield == fold.fetchYield() ? number : fold.fetchYield().getNumOperands() + number);
    return isLoop(loop) ? carriesOf(loop).arguments[number] : Value();
  }

  LogicalResult apply() {
    // Block arguments first: their types do not depend on anything computed.
    WalkResult arguments = kernel.walk([&](Operation *op) -> WalkResult {
      if (isLoop(op))
        for (Region &region : op->getRegions())
          for (BlockArgument argument : region.getArguments())
            if (failed(setOnly(argument, op->getLoc())))
              return failure();
      return success();
    });
    if (arguments.wasInterrupted())
      return failure();
    SmallVector<Operation *> ops;
    kernel.walk<WalkOrder::PreOrder>([&](Operation *op) { ops.push_back(op); });
    for (Operation *op : ops)
      if (failed(applyTo(op)))
        return failure();
    return success();
  }
};

struct AssignEncodings : impl::AssignEncodingsBase<AssignEncodings> {
  void runOnOperation() override {
    tile::KernelOp kernel = getOperation();
    FailureOr<Encodings> as = sm80::chooseEncodings(kernel);
    if (failed(as) || failed(Assignment(kernel, *as).run()))
      return signalPassFailure();
    kernel->setAttr(warp::kWarpsAttr, Builder(kernel.getContext()).getI32IntegerAttr(as->warps));
  }
};

} // namespace
} // namespace sparsec
