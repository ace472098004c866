#include "codegen/cpu/emit/Code.h"

#include "llvm/IR/InlineAsm.h"
#include "llvm/Support/SaveAndRestore.h"

using namespace llvm;

namespace sparsec::cpu {

Value *Code::repeat(Value *scalar, Value *shape) {
  auto *vector = dyn_cast<FixedVectorType>(shape->getType());
  return vector ? CreateVectorSplat(vector->getElementCount(), scalar) : scalar;
}
Value *Code::at(Value *pointer, Value *bytes) {
  return CreatePtrAdd(pointer, bytes);
}
Value *Code::loadAs(Type *type, Value *pointer, int align) {
  return CreateAlignedLoad(type, pointer, Align(align));
}
void Code::storeTo(Value *value, Value *pointer, int align) {
  CreateAlignedStore(value, pointer, Align(align));
}

void Code::askFor(Value *pointer, bool firstLevel) {
  CreateIntrinsic(Intrinsic::prefetch, {getPtrTy()},
                  {pointer, /*write=*/getInt32(0), /*locality=*/getInt32(firstLevel ? 3 : 2),
                   /*data=*/getInt32(1)});
}

Code::Values Code::loop(Value *low, Value *high, int64_t step, ArrayRef<Value *> init, Body body) {
  Function *function = GetInsertBlock()->getParent();
  BasicBlock *before = GetInsertBlock();
  auto *header = BasicBlock::Create(getContext(), "loop", function);
  auto *inside = BasicBlock::Create(getContext(), "body", function);
  auto *after = BasicBlock::Create(getContext(), "after", function);
  CreateBr(header);
  SetInsertPoint(header);
  PHINode *index = CreatePHI(getInt64Ty(), 2);
  index->addIncoming(low, before);
  Values carried;
  for (Value *value : init) {
    PHINode *phi = CreatePHI(value->getType(), 2);
    phi->addIncoming(value, before);
    carried.push_back(phi);
  }
  CreateCondBr(CreateICmpSLT(index, high), inside, after);
  SetInsertPoint(inside);
  SaveAndRestore outer(beforeLoop, before);
  Values next = body(index, carried);
  index->addIncoming(CreateAdd(index, i64(step), "", true, true), GetInsertBlock());
  for (auto [phi, value] : zip(carried, next))
    cast<PHINode>(phi)->addIncoming(value, GetInsertBlock());
  CreateBr(header);
  SetInsertPoint(after);
  return carried;
}

void Code::loop(Value *low, Value *high, int64_t step, function_ref<void(Value *)> body) {
  loop(low, high, step, ArrayRef<Value *>(), [&](Value *index, ArrayRef<Value *>) {
    body(index);
    return Values();
  });
}

Value *Code::countWhile(Value *most, function_ref<Value *(Value *)> property) {
  Function *function = GetInsertBlock()->getParent();
  BasicBlock *before = GetInsertBlock();
  auto *header = BasicBlock::Create(getContext(), "count", function);
  auto *inside = BasicBlock::Create(getContext(), "body", function);
  auto *after = BasicBlock::Create(getContext(), "after", function);
  CreateBr(header);
  SetInsertPoint(header);
  PHINode *index = CreatePHI(getInt64Ty(), 2);
  index->addIncoming(i64(0), before);
  Value *next = CreateAdd(index, i64(1), "", true, true);
  CreateCondBr(CreateICmpSLT(index, most), inside, after);
  SetInsertPoint(inside);
  Value *has = property(index);
  index->addIncoming(next, GetInsertBlock());
  CreateCondBr(has, header, after);
  SetInsertPoint(after);
  return index;
}

void Code::branch(Value *condition, function_ref<void()> body, function_ref<void()> otherwise) {
  Function *function = GetInsertBlock()->getParent();
  auto *inside = BasicBlock::Create(getContext(), "then", function);
  auto *after = BasicBlock::Create(getContext(), "after", function);
  auto *other = otherwise ? BasicBlock::Create(getContext(), "else", function) : after;
  CreateCondBr(condition, inside, other);
  SetInsertPoint(inside);
  body();
  CreateBr(after);
  if (otherwise) {
    SetInsertPoint(other);
    otherwise();
    CreateBr(after);
  }
  SetInsertPoint(after);
}

Code::Values Code::choose(Value *condition, function_ref<Values()> body,
                          function_ref<Values()> otherwise) {
  Values first, second;
  BasicBlock *firstEnd = nullptr, *secondEnd = nullptr;
  branch(
      condition, [&] { first = body(), firstEnd = GetInsertBlock(); },
      [&] { second = otherwise(), secondEnd = GetInsertBlock(); });
  Values chosen;
  for (auto [a, b] : zip_equal(first, second)) {
    PHINode *phi = CreatePHI(a->getType(), 2);
    phi->addIncoming(a, firstEnd);
    phi->addIncoming(b, secondEnd);
    chosen.push_back(phi);
  }
  return chosen;
}

std::pair<Value *, Value *> Code::divideBy(Value *x, Value *pointer, int64_t index, bool) {
  auto wider = [&](Value *value) { return CreateZExt(value, getInt64Ty()); };
  auto of = [&](int64_t i) { return number(pointer, index + i); };
  Value *product = CreateMul(wider(x), wider(of(1)));
  Value *quotient = CreateTrunc(CreateLShr(product, wider(of(2))), getInt32Ty());
  return {quotient, CreateSub(x, CreateMul(quotient, of(0)))};
}

Value *Code::iota(int size) {
  SmallVector<uint32_t> values;
  for (int i = 0; i < size; ++i)
    values.push_back(i);
  return ConstantDataVector::get(getContext(), values);
}

/// In steps: pairs of rows at distance 1, 2, 4, ... exchange the elements at that distance.
LaneVectors Code::transpose(ArrayRef<Value *> rows) {
  LaneVectors now(rows.begin(), rows.end());
  int size = int(rows.size());
  for (int distance = 1; distance < size; distance *= 2) {
    SmallVector<int> low, high;
    for (int i = 0; i < size; ++i) {
      bool odd = i & distance;
      low.push_back(odd ? size + i - distance : i);
      high.push_back(odd ? size + i : i + distance);
    }
    for (int i = 0; i < size; ++i) {
      if (i & distance)
        continue;
      Value *a = now[i], *b = now[i + distance];
      now[i] = CreateShuffleVector(a, b, low);
      now[i + distance] = CreateShuffleVector(a, b, high);
    }
  }
  return now;
}

Value *Code::multiplyAdd(Value *a, Value *b, Value *c) {
  if (!level.fma)
    return CreateFAdd(CreateFMul(a, b), c);
  return CreateIntrinsic(Intrinsic::fma, {a->getType()}, {a, b, c});
}

/// Through an instruction that does nothing, of which LLVM does not know that.
Value *Code::held(Value *constant) {
  if (!beforeLoop || level.emulated)
    return constant;
  InsertPointGuard guard(*this);
  SetInsertPoint(beforeLoop->getTerminator());
  Type *type = constant->getType();
  return CreateCall(InlineAsm::get(FunctionType::get(type, {type}, /*isVarArg=*/false), "", "=x,0",
                                   /*hasSideEffects=*/true),
                    {constant});
}

Value *Code::unknown(Value *integer) {
  Type *type = integer->getType();
  return CreateCall(InlineAsm::get(FunctionType::get(type, {type}, /*isVarArg=*/false), "", "=r,0",
                                   /*hasSideEffects=*/false),
                    {integer});
}

Value *Code::larger(Value *a, Value *b) {
  return CreateSelect(CreateFCmpOGT(a, b), a, b);
}

} // namespace sparsec::cpu
