#include "codegen/cpu/emit/Arithmetic.h"

#include "dialect/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/TypeUtilities.h"

#include "llvm/ADT/TypeSwitch.h"
#include "llvm/IR/Module.h"

using namespace mlir;

namespace sparsec::cpu {

llvm::Type *registerType(Code &code, Type element) {
  if (isa<FloatType>(element))
    return code.getFloatTy();
  if (element.isIndex())
    return code.getInt64Ty();
  return code.getIntNTy(element.getIntOrFloatBitWidth());
}

llvm::Type *memoryType(Code &code, Type element) {
  return element.isInteger(1) ? code.getInt8Ty() : registerType(code, element);
}

llvm::Value *constant(Code &code, TypedAttr value) {
  if (auto dense = dyn_cast<DenseElementsAttr>(value))
    value = cast<TypedAttr>(dense.getSplatValue<Attribute>());
  llvm::Type *type = registerType(code, value.getType());
  if (auto number = dyn_cast<FloatAttr>(value))
    return llvm::ConstantFP::get(type, number.getValueAsDouble());
  return llvm::ConstantInt::get(
      type, cast<IntegerAttr>(value).getValue().sextOrTrunc(type->getIntegerBitWidth()));
}

/// As memory holds elements: 16-bit floats as i16.
llvm::Type *inMemory(Code &code, Type element) {
  return element.isF16() || element.isBF16() ? code.getInt16Ty() : memoryType(code, element);
}

/// A divisor of 0, and the one overflow there is, trap on this machine. They can come up only in
/// rows that do not exist, whose results nobody uses: there the divisor becomes 1.
static llvm::Value *divide(Code &code, Operation *op, llvm::Value *a, llvm::Value *b) {
  bool isSigned = isa<arith::DivSIOp, arith::RemSIOp>(op);
  llvm::Type *type = b->getType();
  auto number = [&](const llvm::APInt &value) { return llvm::ConstantInt::get(type, value); };
  unsigned bits = type->getScalarSizeInBits();
  llvm::Value *one = number(llvm::APInt(bits, 1));
  llvm::Value *unsafe = code.CreateICmpEQ(b, number(llvm::APInt(bits, 0)));
  if (isSigned) {
    llvm::Value *lowest = code.CreateICmpEQ(a, number(llvm::APInt::getSignedMinValue(bits)));
    llvm::Value *minusOne = code.CreateICmpEQ(b, number(llvm::APInt::getAllOnes(bits)));
    unsafe = code.CreateOr(unsafe, code.CreateAnd(lowest, minusOne));
  }
  b = code.CreateSelect(unsafe, one, b);
  if (isa<arith::DivSIOp>(op))
    return code.CreateSDiv(a, b);
  if (isa<arith::RemSIOp>(op))
    return code.CreateSRem(a, b);
  return isa<arith::DivUIOp>(op) ? code.CreateUDiv(a, b) : code.CreateURem(a, b);
}

/// Entries of a constant of the module, one or as many as there are lanes.
static llvm::Value *lookUp(Code &code, ArrayRef<int32_t> table, llvm::Value *index) {
  llvm::Module &module = *code.GetInsertBlock()->getModule();
  llvm::Constant *entries = llvm::ConstantDataArray::get(code.getContext(), table);
  llvm::GlobalVariable *global = nullptr;
  for (llvm::GlobalVariable &each : module.globals())
    if (each.hasInitializer() && each.getInitializer() == entries)
      global = &each;
  if (!global) {
    global = new llvm::GlobalVariable(module, entries->getType(), /*isConstant=*/true,
                                      llvm::GlobalValue::InternalLinkage, entries, "table");
    global->setAlignment(llvm::Align(64));
  }
  llvm::Type *type = code.getInt32Ty();
  auto *lanes = llvm::dyn_cast<llvm::FixedVectorType>(index->getType());
  llvm::Type *wide = code.getInt64Ty();
  if (lanes)
    wide = code.vectorOf(wide, int(lanes->getNumElements()));
  llvm::Value *at = code.CreateGEP(type, global, code.CreateZExt(index, wide));
  if (!lanes)
    return code.CreateAlignedLoad(type, at, llvm::Align(4));
  return code.CreateMaskedGather(index->getType(), at, llvm::Align(4));
}

static llvm::Value *convert(Code &code, Operation *op, llvm::Value *from) {
  Type element = getElementTypeOrSelf(op->getResult(0).getType());
  llvm::Type *type = registerType(code, element);
  if (auto *vector = dyn_cast<llvm::FixedVectorType>(from->getType()))
    type = code.vectorOf(type, int(vector->getNumElements()));
  if (isa<arith::TruncFOp>(op))
    return element.isBF16() ? code.roundToBf16(from) : code.roundToF16(from);
  if (isa<arith::ExtSIOp, arith::IndexCastOp>(op))
    return code.CreateSExtOrTrunc(from, type);
  if (isa<arith::ExtUIOp>(op))
    return code.CreateZExt(from, type);
  if (isa<arith::TruncIOp>(op))
    return code.CreateTrunc(from, type);
  if (isa<arith::SIToFPOp>(op))
    return code.CreateSIToFP(from, type);
  if (isa<arith::UIToFPOp>(op))
    return code.CreateUIToFP(from, type);
  return from; // extf: held as f32 already
}

static llvm::CmpInst::Predicate predicate(arith::CmpIPredicate kind) {
  using P = llvm::CmpInst::Predicate;
  constexpr P table[] = {P::ICMP_EQ,  P::ICMP_NE,  P::ICMP_SLT, P::ICMP_SLE, P::ICMP_SGT,
                         P::ICMP_SGE, P::ICMP_ULT, P::ICMP_ULE, P::ICMP_UGT, P::ICMP_UGE};
  return table[int(kind)];
}
static llvm::CmpInst::Predicate predicate(arith::CmpFPredicate kind) {
  // LLVM's numbers, but that it has "unordered" before those that are true of NaN.
  int number = int(kind);
  if (kind == arith::CmpFPredicate::UNO)
    return llvm::CmpInst::FCMP_UNO;
  bool moved = number >= int(arith::CmpFPredicate::UEQ) && number <= int(arith::CmpFPredicate::UNE);
  return llvm::CmpInst::Predicate(moved ? number + 1 : number);
}

static llvm::Value *floatArithmetic(Code &code, Operation *op, ArrayRef<llvm::Value *> x) {
  using R = llvm::Value *;
  return llvm::TypeSwitch<Operation *, R>(op)
      .Case<arith::AddFOp>([&](auto) { return code.CreateFAdd(x[0], x[1]); })
      .Case<arith::SubFOp>([&](auto) { return code.CreateFSub(x[0], x[1]); })
      .Case<arith::MulFOp>([&](auto) { return code.CreateFMul(x[0], x[1]); })
      .Case<arith::DivFOp>([&](auto) { return code.CreateFDiv(x[0], x[1]); })
      .Case<arith::NegFOp>([&](auto) { return code.CreateFNeg(x[0]); })
      .Case<arith::MaximumFOp, arith::MaxNumFOp>([&](auto) { return code.larger(x[0], x[1]); })
      .Case<arith::MinimumFOp, arith::MinNumFOp>(
          [&](auto) { return code.CreateSelect(code.CreateFCmpOLT(x[0], x[1]), x[0], x[1]); })
      .Case([&](arith::CmpFOp compare) {
        return code.CreateFCmp(predicate(compare.getPredicate()), x[0], x[1]);
      })
      .Case<math::FmaOp>([&](auto) { return code.multiplyAdd(x[0], x[1], x[2]); })
      .Case<math::Exp2Op>([&](auto) { return code.exp2(x[0]); })
      .Case<math::ExpOp>([&](auto) { return code.exp(x[0]); })
      .Case<math::LogOp>([&](auto) { return code.log(x[0]); })
      .Case<math::AbsFOp>(
          [&](auto) { return code.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, x[0]); })
      .Case<math::SqrtOp>(
          [&](auto) { return code.CreateUnaryIntrinsic(llvm::Intrinsic::sqrt, x[0]); })
      .Case<math::RsqrtOp>([&](auto) -> R {
        llvm::Value *root = code.CreateUnaryIntrinsic(llvm::Intrinsic::sqrt, x[0]);
        return code.CreateFDiv(llvm::ConstantFP::get(root->getType(), 1.0), root);
      })
      .Default([](Operation *) { return nullptr; });
}

llvm::Value *arithmetic(Code &code, Operation *op, ArrayRef<llvm::Value *> x) {
  using R = llvm::Value *;
  if (llvm::Value *result = floatArithmetic(code, op, x))
    return result;
  auto extreme = [&](llvm::CmpInst::Predicate kind) {
    return code.CreateSelect(code.CreateICmp(kind, x[0], x[1]), x[0], x[1]);
  };
  return llvm::TypeSwitch<Operation *, R>(op)
      .Case<arith::AddIOp>([&](auto) { return code.CreateAdd(x[0], x[1]); })
      .Case<arith::SubIOp>([&](auto) { return code.CreateSub(x[0], x[1]); })
      .Case<arith::MulIOp>([&](auto) { return code.CreateMul(x[0], x[1]); })
      .Case<arith::DivUIOp, arith::DivSIOp, arith::RemUIOp, arith::RemSIOp>(
          [&](auto each) { return divide(code, each, x[0], x[1]); })
      .Case<arith::AndIOp>([&](auto) { return code.CreateAnd(x[0], x[1]); })
      .Case<arith::OrIOp>([&](auto) { return code.CreateOr(x[0], x[1]); })
      .Case<arith::XOrIOp>([&](auto) { return code.CreateXor(x[0], x[1]); })
      .Case<arith::ShLIOp>([&](auto) { return code.CreateShl(x[0], x[1]); })
      .Case<arith::ShRUIOp>([&](auto) { return code.CreateLShr(x[0], x[1]); })
      .Case<arith::ShRSIOp>([&](auto) { return code.CreateAShr(x[0], x[1]); })
      .Case<arith::MinSIOp>([&](auto) { return extreme(llvm::CmpInst::ICMP_SLT); })
      .Case<arith::MaxSIOp>([&](auto) { return extreme(llvm::CmpInst::ICMP_SGT); })
      .Case<arith::MinUIOp>([&](auto) { return extreme(llvm::CmpInst::ICMP_ULT); })
      .Case<arith::MaxUIOp>([&](auto) { return extreme(llvm::CmpInst::ICMP_UGT); })
      .Case([&](arith::CmpIOp compare) {
        return code.CreateICmp(predicate(compare.getPredicate()), x[0], x[1]);
      })
      .Case<math::CountLeadingZerosOp>([&](auto) {
        return code.CreateBinaryIntrinsic(llvm::Intrinsic::ctlz, x[0], code.getFalse());
      })
      .Case([&](tile::LookupOp lookup) { return lookUp(code, lookup.getTable(), x[0]); })
      .Case<arith::SelectOp>([&](auto) { return code.CreateSelect(x[0], x[1], x[2]); })
      .Case<tile::MaskOp>([&](auto) {
        llvm::Value *none = llvm::ConstantFP::getInfinity(x[0]->getType(), /*Negative=*/true);
        return code.CreateSelect(x[1], x[0], none);
      })
      .Default([&](Operation *each) { return convert(code, each, x[0]); });
}

/// Integers of fewer than 32 bits are unsigned and widened.
llvm::Value *fromMemory(Code &code, llvm::Value *bits, Type element) {
  if (element.isInteger(8) || element.isInteger(16))
    return code.CreateZExt(bits, bits->getType()->getWithNewBitWidth(32));
  if (element.isBF16())
    return code.fromBf16(bits);
  return element.isF16() ? code.fromF16(bits) : bits;
}
llvm::Value *toMemory(Code &code, llvm::Value *value, Type element) {
  if (element.isBF16())
    return code.bf16Bits(value);
  return element.isF16() ? code.f16Bits(value) : value;
}

} // namespace sparsec::cpu
