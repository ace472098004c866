// warp-to-llvm: what one thread does. A tile.kernel becomes a function of one by-value struct, that
// of its Signature; tensors become vectors of what the thread holds (Lowering.h).
#include "codegen/common/Derive.h"
#include "codegen/ptx/Lowering.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/Transforms/Patterns.h"

using namespace mlir;

namespace sparsec {
#define GEN_PASS_DEF_WARPTOLLVM
#include "codegen/ptx/Passes.h.inc"

namespace {

Type fieldType(MLIRContext *context, FieldType type) {
  switch (type) {
  case FieldType::Pointer:
    return LLVM::LLVMPointerType::get(context, kGlobalSpace);
  case FieldType::I64:
    return IntegerType::get(context, 64);
  case FieldType::I32:
    return IntegerType::get(context, 32);
  case FieldType::F32:
    return Float32Type::get(context);
  case FieldType::TensorMap:
    return LLVM::LLVMArrayType::get(IntegerType::get(context, 64), 16);
  }
  return {};
}

/// The argument struct as an LLVM type; fields lie as in C.
LLVM::LLVMStructType argumentStruct(MLIRContext *context, const Signature &signature) {
  SmallVector<Type> types;
  for (const Field &field : signature.fields()) {
    Type type = fieldType(context, field.type);
    types.push_back(field.count == 1 ? type : LLVM::LLVMArrayType::get(type, field.count));
  }
  return LLVM::LLVMStructType::getLiteral(context, types);
}

/// Turns one kernel's frame into a function's; its body keeps tile types until the conversion.
class FunctionFrame {
public:
  FunctionFrame(tile::KernelOp kernel, const TypeConverter &types)
      : kernel(kernel), types(types), signature(signatureOf(kernel)),
        emit(kernel.getLoc(), kernel) {}

  LogicalResult run() {
    auto warps = kernel->getAttrOfType<IntegerAttr>(warp::kWarpsAttr);
    auto shared = kernel->getAttrOfType<IntegerAttr>(warp::kSharedBytesAttr);
    if (!warps || !shared)
      return kernel.emitOpError("expected warps and shared memory: assign-encodings and "
                                "allocate-shared come first");
    MLIRContext *context = emit.getContext();
    auto pointer = LLVM::LLVMPointerType::get(context);
    auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context), {pointer});
    auto function = emit.create<LLVM::LLVMFuncOp>(kernel.getSymName(), type);
    nvvm::markKernel(function, 32 * static_cast<int>(warps.getInt()));
    function->setAttr(warp::kWarpsAttr, warps);
    function->setAttr(warp::kSharedBytesAttr, shared);
    function.setArgAttr(0, LLVM::LLVMDialect::getByValAttrName(),
                        TypeAttr::get(argumentStruct(context, signature)));
    function.setArgAttr(0, LLVM::LLVMDialect::getAlignAttrName(),
                        emit.getI64IntegerAttr(signature.alignment()));
    mlir::Block *entry = function.addEntryBlock(emit);
    emit.setInsertionPointToStart(entry);
    arguments = entry->getArgument(0);
    mlir::Block &body = kernel.getBody().front();
    for (auto [argument, name] : llvm::zip(body.getArguments(), kernel.getNames())) {
      FailureOr<Value> value = bind(argument, cast<StringAttr>(name).getValue());
      if (failed(value))
        return failure();
      argument.replaceAllUsesWith(
          emit.create<UnrealizedConversionCastOp>(argument.getType(), *value).getResult(0));
    }
    entry->getOperations().splice(entry->end(), body.getOperations());
    Operation *end = entry->getTerminator();
    emit.setInsertionPoint(end);
    emit.create<LLVM::ReturnOp>(ValueRange{});
    end->erase();
    kernel.erase();
    return success();
  }

private:
  tile::KernelOp kernel;
  const TypeConverter &types;
  Signature signature;
  ImplicitLocOpBuilder emit;
  Value arguments;

  /// One field of the struct, or an element of an array field; null or 0 where there is none.
  Value load(StringRef name, FieldType type, int element = 0) {
    const Field *field = signature.find(name);
    Type loaded = fieldType(emit.getContext(), type);
    if (!field)
      return emit.create<LLVM::ZeroOp>(loaded);
    int size = bytes(field->type);
    Value address = emit.create<LLVM::GEPOp>(
        arguments.getType(), emit.getI8Type(), arguments,
        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(field->offset + element * size)});
    return emit.create<LLVM::LoadOp>(loaded, address, size);
  }

  Value assemble(Type type, ArrayRef<Value> parts) {
    Value value = emit.create<LLVM::PoisonOp>(types.convertType(type));
    for (auto [i, part] : llvm::enumerate(parts))
      value = emit.create<LLVM::InsertValueOp>(value, part, ArrayRef<int64_t>{int64_t(i)});
    return value;
  }

  FailureOr<Value> bind(BlockArgument argument, StringRef name) {
    if (auto view = dyn_cast<tile::ViewType>(argument.getType())) {
      SmallVector<Value> parts = {load(name, FieldType::Pointer)};
      for (int i = 0; i < int(view.getStrides()); ++i)
        parts.push_back(load((name + "_stride").str(), FieldType::I64, i));
      return assemble(view, parts);
    }
    if (isa<tile::LayoutType>(argument.getType())) {
      SmallVector<Value> parts;
      for (const LayoutFieldSpec &spec : kLayoutFields)
        parts.push_back(load(layoutField(name, spec), spec.type));
      return assemble(argument.getType(), parts);
    }
    const Field *field = signature.find(name);
    if (!field)
      return kernel.emitOpError() << "argument '" << name << "' of " << argument.getType()
                                  << " is nothing that a host can give";
    return load(name, field->type);
  }
};

/// The block's dynamic shared memory, sized at launch.
void declareShared(ModuleOp module) {
  OpBuilder builder(module.getBodyRegion());
  auto type = LLVM::LLVMArrayType::get(builder.getI8Type(), 0);
  LLVM::GlobalOp::create(builder, module.getLoc(), type, /*isConstant=*/false,
                         LLVM::Linkage::External, kSharedSymbol, Attribute(),
                         /*alignment=*/1024, kSharedSpace);
}

struct WarpToLlvm : impl::WarpToLlvmBase<WarpToLlvm> {
  void getDependentDialects(DialectRegistry &registry) const override {
    WarpToLlvmBase::getDependentDialects(registry);
    nvvm::registerDialect(registry);
  }

  void runOnOperation() override {
    MLIRContext *context = &getContext();
    ThreadTypes types(context);
    declareShared(getOperation());
    for (tile::KernelOp kernel :
         llvm::make_early_inc_range(getOperation().getOps<tile::KernelOp>()))
      if (failed(FunctionFrame(kernel, types).run()))
        return signalPassFailure();

    RewritePatternSet patterns(context);
    ConversionTarget target(*context);
    target.addLegalDialect<LLVM::LLVMDialect>();
    target.addLegalDialect(nvvm::kDialect);
    target.addLegalOp<ModuleOp, UnrealizedConversionCastOp>();
    target.addIllegalDialect<tile::TileDialect, warp::WarpDialect>();
    target.addIllegalOp<math::ExpOp>(); // of scalars too: LLVM has none for these targets
    target.addDynamicallyLegalDialect<arith::ArithDialect, math::MathDialect>(
        [&](Operation *op) { return types.isLegal(op); });
    populateColumnPatterns(patterns, types);
    populateElementwisePatterns(patterns, types);
    populateMemoryPatterns(patterns, types);
    populateReductionPatterns(patterns, types);
    populateRowPatterns(patterns, types);
    populateBlockPatterns(patterns, types);
    sm80::populateCopyPatterns(patterns, types);
    sm80::populateProductPatterns(patterns, types);
    scf::populateSCFStructuralTypeConversionsAndLegality(types, patterns, target);
    if (failed(applyPartialConversion(getOperation(), target, std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace sparsec
