// The function of a kernel: arguments, scalars, rows, loops over blocks.
#include "codegen/common/WorkRow.h"
#include "codegen/cpu/emit/Emitter.h"
#include "codegen/cpu/emit/ProductEmission.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/IR/Verifier.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace sparsec::cpu {

KernelEmitter::KernelEmitter(const Plan &plan, llvm::Module &module)
    : plan(plan), kernel(plan.kernel), takes(signatureOf(kernel)), module(module),
      code(module.getContext(), plan.level), flow(plan.flow), dims(plan.dims),
      memories(plan.places.size()) {}

//===-- Arguments -----------------------------------------------------------------------------===//

/// A field of the argument struct, or an element of an array field; null when there is none.
llvm::Value *KernelEmitter::field(StringRef name, int index) {
  const Field *field = takes.find(name);
  if (!field || index >= field->count)
    return nullptr;
  auto typeOf = [&]() -> llvm::Type * {
    switch (field->type) {
    case FieldType::Pointer:
    case FieldType::TensorMap:
      return code.getPtrTy();
    case FieldType::I64:
      return code.getInt64Ty();
    case FieldType::I32:
      return code.getInt32Ty();
    case FieldType::F32:
      return code.getFloatTy();
    }
    return nullptr;
  };
  int size = bytes(field->type);
  return code.loadAs(typeOf(), code.at(arguments, field->offset + index * size), size);
}

LogicalResult KernelEmitter::bindArguments() {
  for (auto [argument, attribute] : llvm::zip(kernel.getBody().getArguments(), kernel.getNames())) {
    StringRef name = cast<StringAttr>(attribute).getValue();
    if (isa<tile::LayoutType>(argument.getType()))
      continue;
    llvm::Value *value = field(name);
    if (!value)
      return kernel.emitOpError() << "argument '" << name << "' of " << argument.getType()
                                  << " is nothing that a host can give";
    auto type = dyn_cast<tile::ViewType>(argument.getType());
    if (!type) {
      scalars[argument] = value;
      continue;
    }
    View view{.base = value, .strides = {}, .element = nullptr, .type = type.getElementType()};
    view.element = inMemory(view.type);
    for (int i = 0; i < type.getStrides(); ++i)
      view.strides.push_back(field((name + "_stride").str(), i));
    views[argument] = view;
  }
  return success();
}

LogicalResult KernelEmitter::run() {
  llvm::Type *pointer = code.getPtrTy(), *index = code.getInt32Ty();
  auto *type = llvm::FunctionType::get(code.getVoidTy(), {pointer, index, index, index, pointer},
                                       /*isVarArg=*/false);
  function =
      llvm::Function::Create(type, llvm::Function::ExternalLinkage, kernel.getSymName(), module);
  function->addFnAttr("target-cpu", code.level.processor);
  function->addFnAttr("target-features", code.level.features);
  function->addFnAttr("prefer-vector-width", std::to_string(code.level.vector * 32));
  function->addFnAttr(llvm::Attribute::NoUnwind);
  function->addParamAttr(4, llvm::Attribute::NoAlias);
  arguments = function->getArg(0), scratch = function->getArg(4);
  // Scratch addresses go to the first block, whatever needs them.
  auto *entry = llvm::BasicBlock::Create(code.getContext(), "entry", function);
  auto *body = llvm::BasicBlock::Create(code.getContext(), "kernel", function);
  code.SetInsertPoint(entry);
  code.CreateBr(body);
  code.SetInsertPoint(body);
  sink = allocate(4096);
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

llvm::Value *KernelEmitter::scalar(Value value) {
  value = flow.resolve(value);
  if (auto found = scalars.find(value); found != scalars.end())
    return found->second;
  return constant(cast<arith::ConstantOp>(value.getDefiningOp()).getValue());
}

void KernelEmitter::emitSerial(Operation *op) {
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](tile::WorkOp work) { emitWork(work); })
      .Case([&](tile::RowsOp rows) { emitRows(rows); })
      .Case([&](tile::RowsByOp rows) { emitRowsBy(rows); })
      .Case([&](tile::RowsAtOp rows) { emitRowsAt(rows); })
      .Case([&](tile::PositionsOp positions) {
        const RowTable &rows = rowTables[flow.resolve(positions.getRows())];
        bind(plan.placeFor(positions.getPositions()), rows.positions);
      })
      .Case([&](tile::LoadOp load) { emitLoad(load); })
      .Case([&](tile::StoreOp store) { storeVector(store); })
      .Case([&](tile::ReduceOp reduce) { emitScalarReduce(reduce); })
      .Case([&](tile::TransposeOp transpose) {
        // The same memory, the other dimension across lanes.
        const Storage &from = operand(transpose, transpose.getInput());
        Value result = transpose.getResult();
        const Storage &to = begin(plan.placeFor(result));
        RankedTensorType type = tileType(result);
        code.loop(code.i64(0), code.i64(type.getDimSize(0)), 1, [&](llvm::Value *i) {
          code.loop(code.i64(0), code.i64(type.getDimSize(1)), 1, [&](llvm::Value *j) {
            code.storeTo(code.loadAs(from.type, elementPointer(from, j, i), 1),
                         elementPointer(to, i, j), 1);
          });
        });
      })
      .Case<tile::FoldOp, scf::ForOp>([&](auto loop) { emitLoop(loop); })
      .Case([&](tile::BlocksOp blocks) { emitBlocks(blocks); })
      .Case([](tile::RangeOp) {}) // read by its folds
      .Case([&](tile::LayoutRowOp row) {
        auto fieldOf = [&](LayoutField which) { return field(which); };
        WorkRow work(code, fieldOf, scalar(row.getPlace()));
        scalars[row.getHead()] = work.head(fieldOf);
        scalars[row.getTableRow()] = work.tableRow(scalar(row.getRow()));
      })
      .Case([&](tile::NumberOp number) {
        llvm::Value *bytes = code.CreateMul(code.wide(scalar(number.getIndex())), code.i64(4));
        scalars[number.getResult()] = code.number(code.at(scalar(number.getNumbers()), bytes), 0);
      })
      .Case([&](tile::ScalarOp number) {
        scalars[number.getResult()] = code.loadAs(
            registerType(number.getType()), scalarPointer(number.getView(), number.getIndex()));
      })
      .Case([&](tile::StoreScalarOp store) {
        code.storeTo(scalar(store.getValue()), scalarPointer(store.getView(), store.getIndex()));
      })
      .Default([&](Operation *scalarOp) {
        SmallVector<llvm::Value *> operands;
        for (Value operand : scalarOp->getOperands())
          operands.push_back(scalar(operand));
        scalars[scalarOp->getResult(0)] = arithmetic(scalarOp, operands);
      });
}

/// Of element `index` of a view without strides.
llvm::Value *KernelEmitter::scalarPointer(Value viewValue, Value index) {
  const View &view = views[viewValue];
  return code.at(view.base,
                 code.CreateMul(code.wide(scalar(index)), code.i64(bytesOf(view.element))));
}

/// A vector to a scalar, in order.
void KernelEmitter::emitScalarReduce(tile::ReduceOp op) {
  const Storage &from = operand(op, op.getInput());
  llvm::Value *init = code.loadAs(from.type, elementPointer(from, code.i64(0), nullptr), 1);
  auto sums = code.loop(code.i64(1), code.i64(from.shape.lanes), 1, {init},
                        [&](llvm::Value *i, ArrayRef<llvm::Value *> sum) {
                          llvm::Value *next =
                              code.loadAs(from.type, elementPointer(from, i, nullptr), 1);
                          return Code::Values{combine(op.getKind(), sum[0], next)};
                        });
  scalars[op.getResult()] = sums[0];
}

//===-- Loops ---------------------------------------------------------------------------------===//

void KernelEmitter::beginCarries(const Loop &loop) {
  for (const Carry &carry : loop.carries)
    if (!carry.goesOn)
      copyTile(begin(carry.place), carry.init);
}

/// What a step yields becomes the carry; through other memory where carries change places.
void KernelEmitter::endCarries(const Loop &loop) {
  for (auto [copy, place] : llvm::zip(loop.copies, loop.aside))
    copyTile(begin(place), copy.value);
  for (auto [i, copy] : llvm::enumerate(loop.copies))
    loop.aside.empty() ? copyTile(memory(copy.to), copy.value)
                       : copyTile(memory(copy.to), copy.value, &memory(loop.aside[i]));
}

void KernelEmitter::emitLoop(Operation *loop) {
  Carries carries = carriesOf(loop);
  const Loop &planned = plan.loops.find(loop)->second;
  beginCarries(planned);
  Code::Values init;
  SmallVector<std::pair<Value, Value>> scalarCarries; // argument, yield
  for (auto [from, argument, yield] : llvm::zip(carries.init, carries.arguments, carries.yields))
    if (!tileType(argument)) {
      init.push_back(scalar(from));
      scalarCarries.push_back({argument, yield});
    }
  auto fold = dyn_cast<tile::FoldOp>(loop);
  auto each = dyn_cast<scf::ForOp>(loop);
  std::pair<llvm::Value *, llvm::Value *> bounds =
      fold ? blockBounds(fold.getBlocks())
           : std::pair(code.wide(scalar(each.getLowerBound())),
                       code.wide(scalar(each.getUpperBound())));
  int64_t step = 1;
  if (each)
    step = each.getConstantStep()->getSExtValue();
  llvm::Value *partialEnd = planned.masks ? endOfPartial(fold.getBlocks()) : nullptr;
  llvm::SaveAndRestore outer(isPartial);
  llvm::SaveAndRestore outerFold(this->fold);
  auto sums = code.loop(bounds.first, bounds.second, step, init,
                        [&](llvm::Value *index, ArrayRef<llvm::Value *> carried) {
                          if (fold)
                            isPartial =
                                partialEnd ? code.CreateICmpSLT(index, partialEnd) : nullptr;
                          this->fold = {fold, index, bounds.second, nullptr};
                          if (fold)
                            scalars[fold.getBlockIndex()] = blockColumn(fold.getBlocks(), index);
                          else
                            scalars[each.getInductionVar()] = code.CreateSExtOrTrunc(
                                index, registerType(each.getInductionVar().getType()));
                          for (auto [pair, value] : llvm::zip(scalarCarries, carried))
                            scalars[pair.first] = value;
                          emitGroups(planned.groups);
                          endCarries(planned);
                          Code::Values next;
                          for (auto &pair : scalarCarries)
                            next.push_back(scalar(pair.second));
                          return next;
                        });
  for (Value result : carries.results)
    if (!tileType(result)) {
      scalars[result] = sums.front();
      sums.erase(sums.begin());
    }
}

} // namespace sparsec::cpu
