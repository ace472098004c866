// The function of a kernel: arguments, scalars, rows, loops over blocks.
#include "codegen/common/WorkRow.h"
#include "codegen/cpu/emit/Arithmetic.h"
#include "codegen/cpu/emit/Emitter.h"
#include "codegen/cpu/emit/ProductEmission.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/IR/Verifier.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace sparsec::cpu {

KernelEmitter::KernelEmitter(const Plan &plan, llvm::Module &module)
    : frame(plan, module), plan(plan), flow(plan.flow), dims(plan.dims), module(module),
      code(frame.code) {}

//===-- Arguments -----------------------------------------------------------------------------===//

LogicalResult KernelEmitter::bindArguments() {
  tile::KernelOp kernel = plan.kernel;
  for (auto [argument, attribute] : llvm::zip(kernel.getBody().getArguments(), kernel.getNames())) {
    StringRef name = cast<StringAttr>(attribute).getValue();
    if (isa<tile::LayoutType>(argument.getType()))
      continue;
    llvm::Value *value = frame.field(name);
    if (!value)
      return kernel.emitOpError() << "argument '" << name << "' of " << argument.getType()
                                  << " is nothing that a host can give";
    auto type = dyn_cast<tile::ViewType>(argument.getType());
    if (!type) {
      frame.scalars[argument] = value;
      continue;
    }
    View view{.base = value, .strides = {}, .element = nullptr, .type = type.getElementType()};
    view.element = inMemory(code, view.type);
    for (int i = 0; i < type.getStrides(); ++i)
      view.strides.push_back(frame.field((name + "_stride").str(), i));
    views.add(argument, view);
  }
  return success();
}

LogicalResult KernelEmitter::run() {
  if (failed(bindArguments()))
    return failure();
  for (const ProductKind *kind : productKinds())
    if (kind->emission->begin && plan.has(*kind))
      kind->emission->begin(*this);
  beginSlices();
  emitGroups(plan.body);
  for (const ProductKind *kind : productKinds())
    if (kind->emission->end && plan.has(*kind))
      kind->emission->end(*this);
  if (hasStreams) // before other threads are told that the item is done
    code.CreateFence(llvm::AtomicOrdering::SequentiallyConsistent);
  code.CreateRetVoid();
  return success();
}

//===-- Regions and scalars -------------------------------------------------------------------===//

void KernelEmitter::emitGroups(ArrayRef<Group> groups) {
  for (const Group &group : groups) {
    if (group.laneClass != Group::kSerial) {
      group.byRows ? emitRowGroup(group) : emitGroup(group);
      continue;
    }
    for (Operation *op : group.ops)
      emitSerial(op);
  }
}

void KernelEmitter::emitSerial(Operation *op) {
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](tile::WorkOp work) { positions.emitWork(work); })
      .Case([&](tile::RowsOp rows) { positions.emitRows(rows); })
      .Case([&](tile::RowsByOp rows) { positions.emitRowsBy(rows); })
      .Case([&](tile::RowsAtOp rows) {
        positions.emitRowsAt(rows, operand(rows, rows.getPositions()), tiles);
      })
      .Case([&](tile::PositionsOp op) {
        const RowTable &rows = positions.of(op.getRows());
        tiles.bind(plan.placeFor(op.getPositions()), rows.positions);
      })
      .Case([&](tile::LoadOp load) { emitLoad(load); })
      .Case([&](tile::StoreOp store) { storeVector(store); })
      .Case([&](tile::ReduceOp reduce) { emitScalarReduce(reduce); })
      .Case([&](tile::TransposeOp transpose) {
        // The same memory, the other dimension across lanes.
        const Storage &from = operand(transpose, transpose.getInput());
        Value result = transpose.getResult();
        const Storage &to = tiles.begin(plan.placeFor(result));
        RankedTensorType type = tileType(result);
        code.loop(code.i64(0), code.i64(type.getDimSize(0)), 1, [&](llvm::Value *i) {
          code.loop(code.i64(0), code.i64(type.getDimSize(1)), 1, [&](llvm::Value *j) {
            code.storeTo(code.loadAs(from.type, tiles.elementPointer(from, j, i), 1),
                         tiles.elementPointer(to, i, j), 1);
          });
        });
      })
      .Case<tile::FoldOp, scf::ForOp>([&](auto loop) { emitLoop(loop); })
      .Case([&](tile::BlocksOp blocks) { positions.emitBlocks(blocks); })
      .Case([](tile::RangeOp) {}) // read by its folds
      .Case([&](tile::LayoutRowOp row) {
        auto fieldOf = [&](LayoutField which) { return frame.field(which); };
        WorkRow work(code, fieldOf, frame.scalar(row.getPlace()));
        frame.scalars[row.getHead()] = work.head(fieldOf);
        frame.scalars[row.getTableRow()] = work.tableRow(frame.scalar(row.getRow()));
      })
      .Case([&](tile::NumberOp number) {
        llvm::Value *bytes =
            code.CreateMul(code.wide(frame.scalar(number.getIndex())), code.i64(4));
        frame.scalars[number.getResult()] =
            code.number(code.at(frame.scalar(number.getNumbers()), bytes), 0);
      })
      .Case([&](tile::ScalarOp number) {
        frame.scalars[number.getResult()] =
            code.loadAs(registerType(code, number.getType()),
                        scalarPointer(number.getView(), number.getIndex()));
      })
      .Case([&](tile::StoreScalarOp store) {
        code.storeTo(frame.scalar(store.getValue()),
                     scalarPointer(store.getView(), store.getIndex()));
      })
      .Default([&](Operation *scalarOp) {
        SmallVector<llvm::Value *> operands;
        for (Value operand : scalarOp->getOperands())
          operands.push_back(frame.scalar(operand));
        frame.scalars[scalarOp->getResult(0)] = arithmetic(code, scalarOp, operands);
      });
}

/// Of element `index` of a view without strides.
llvm::Value *KernelEmitter::scalarPointer(Value viewValue, Value index) {
  const View &view = views.of(viewValue);
  return code.at(view.base,
                 code.CreateMul(code.wide(frame.scalar(index)), code.i64(bytesOf(view.element))));
}

/// A vector to a scalar, in order.
void KernelEmitter::emitScalarReduce(tile::ReduceOp op) {
  const Storage &from = operand(op, op.getInput());
  llvm::Value *init = code.loadAs(from.type, tiles.elementPointer(from, code.i64(0), nullptr), 1);
  auto sums = code.loop(code.i64(1), code.i64(from.shape.lanes), 1, {init},
                        [&](llvm::Value *i, ArrayRef<llvm::Value *> sum) {
                          llvm::Value *next =
                              code.loadAs(from.type, tiles.elementPointer(from, i, nullptr), 1);
                          return Code::Values{combine(op.getKind(), sum[0], next)};
                        });
  frame.scalars[op.getResult()] = sums[0];
}

//===-- Loops ---------------------------------------------------------------------------------===//

void KernelEmitter::beginCarries(const Loop &loop) {
  for (const Carry &carry : loop.carries)
    if (!carry.goesOn)
      copyTile(tiles.begin(carry.place), carry.init);
}

/// What a step yields becomes the carry; through other memory where carries change places.
void KernelEmitter::endCarries(const Loop &loop) {
  for (auto [copy, place] : llvm::zip(loop.copies, loop.aside))
    copyTile(tiles.begin(place), copy.value);
  for (auto [i, copy] : llvm::enumerate(loop.copies))
    loop.aside.empty() ? copyTile(tiles.at(copy.to), copy.value)
                       : copyTile(tiles.at(copy.to), copy.value, &tiles.at(loop.aside[i]));
}

void KernelEmitter::emitLoop(Operation *loop) {
  Carries carries = carriesOf(loop);
  const Loop &planned = plan.loops.find(loop)->second;
  beginCarries(planned);
  Code::Values init;
  SmallVector<std::pair<Value, Value>> scalarCarries; // argument, yield
  for (auto [from, argument, yield] : llvm::zip(carries.init, carries.arguments, carries.yields))
    if (!tileType(argument)) {
      init.push_back(frame.scalar(from));
      scalarCarries.push_back({argument, yield});
    }
  auto fold = dyn_cast<tile::FoldOp>(loop);
  auto each = dyn_cast<scf::ForOp>(loop);
  std::pair<llvm::Value *, llvm::Value *> bounds =
      fold ? positions.blockBounds(fold.getBlocks())
           : std::pair(code.wide(frame.scalar(each.getLowerBound())),
                       code.wide(frame.scalar(each.getUpperBound())));
  int64_t step = 1;
  if (each)
    step = each.getConstantStep()->getSExtValue();
  llvm::Value *partialEnd = planned.masks ? positions.endOfPartial(fold.getBlocks()) : nullptr;
  llvm::SaveAndRestore outer(isPartial);
  llvm::SaveAndRestore outerFold(this->fold);
  auto sums = code.loop(
      bounds.first, bounds.second, step, init,
      [&](llvm::Value *index, ArrayRef<llvm::Value *> carried) {
        if (fold)
          isPartial = partialEnd ? code.CreateICmpSLT(index, partialEnd) : nullptr;
        this->fold = {fold, index, bounds.second, nullptr};
        if (fold)
          frame.scalars[fold.getBlockIndex()] = positions.blockColumn(fold.getBlocks(), index);
        else
          frame.scalars[each.getInductionVar()] =
              code.CreateSExtOrTrunc(index, registerType(code, each.getInductionVar().getType()));
        for (auto [pair, value] : llvm::zip(scalarCarries, carried))
          frame.scalars[pair.first] = value;
        emitGroups(planned.groups);
        endCarries(planned);
        Code::Values next;
        for (auto &pair : scalarCarries)
          next.push_back(frame.scalar(pair.second));
        return next;
      });
  for (Value result : carries.results)
    if (!tileType(result)) {
      frame.scalars[result] = sums.front();
      sums.erase(sums.begin());
    }
}

} // namespace sparsec::cpu
