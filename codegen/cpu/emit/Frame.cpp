#include "codegen/cpu/emit/Frame.h"

#include "codegen/cpu/emit/Arithmetic.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace sparsec::cpu {

Frame::Frame(const Plan &plan, llvm::Module &module)
    : plan(plan), takes(signatureOf(plan.kernel)), module(module),
      code(module.getContext(), plan.level) {
  llvm::Type *pointer = code.getPtrTy(), *index = code.getInt32Ty();
  auto *type = llvm::FunctionType::get(code.getVoidTy(), {pointer, index, index, index, pointer},
                                       /*isVarArg=*/false);
  tile::KernelOp kernel = plan.kernel;
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
}

/// A field of the argument struct, or an element of an array field; null when there is none.
llvm::Value *Frame::field(StringRef name, int index) {
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

llvm::Value *Frame::scalar(Value value) {
  value = plan.flow.resolve(value);
  if (auto found = scalars.find(value); found != scalars.end())
    return found->second;
  return constant(code, cast<arith::ConstantOp>(value.getDefiningOp()).getValue());
}

/// Cache lines apart, so that equal places of two tiles do not meet in one set.
llvm::Value *Frame::allocate(int64_t bytes) {
  int64_t offset = allocated;
  allocated += (bytes + 63) / 64 * 64 + 64;
  llvm::IRBuilder<>::InsertPointGuard guard(code);
  code.SetInsertPoint(&function->getEntryBlock(), function->getEntryBlock().begin());
  return code.at(scratch, offset);
}

/// Room for a few 32-bit integers that two ways of the code fill.
llvm::Value *Frame::onStack(int integers) {
  llvm::IRBuilder<>::InsertPointGuard guard(code);
  code.SetInsertPoint(&function->getEntryBlock(), function->getEntryBlock().begin());
  return code.CreateAlloca(llvm::ArrayType::get(code.getInt32Ty(), integers));
}

/// What rows that do not exist point at.
llvm::Value *Frame::zeros() {
  constexpr int64_t bytes = 4096;
  if (auto *global = module.getNamedGlobal("zeros"))
    return global;
  auto *type = llvm::ArrayType::get(code.getInt8Ty(), bytes);
  auto *global = new llvm::GlobalVariable(module, type, /*isConstant=*/true,
                                          llvm::GlobalValue::InternalLinkage,
                                          llvm::Constant::getNullValue(type), "zeros");
  global->setAlignment(llvm::Align(64));
  return global;
}

} // namespace sparsec::cpu
