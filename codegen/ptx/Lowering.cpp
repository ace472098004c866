#include "codegen/ptx/Lowering.h"

#include "layout/ClosedForm.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace sparsec {

ThreadTypes::ThreadTypes(MLIRContext *context) {
  auto pointer = LLVM::LLVMPointerType::get(context, kGlobalSpace);
  auto i32 = IntegerType::get(context, 32), i64 = IntegerType::get(context, 64);
  addConversion([](Type type) { return type; });
  addConversion([=](RankedTensorType type) -> std::optional<Type> {
    if (!type.getEncoding())
      return std::nullopt;
    int elements = warp::elementsPerThread(type);
    if (isa<warp::LhsAttr>(type.getEncoding()))
      return VectorType::get({elements / 2}, i32);
    return VectorType::get({elements}, type.getElementType());
  });
  addConversion([=](tile::ViewType type) -> Type {
    SmallVector<Type> fields = {pointer};
    fields.append(type.getStrides(), i64);
    return LLVM::LLVMStructType::getLiteral(context, fields);
  });
  addConversion([=](tile::RowsType type) -> Type {
    SmallVector<Type> fields = {i32, i32};
    if (type.getOrder() == tile::OrderKind::Gathered)
      fields[0] = VectorType::get({kGatheredRows}, i32);
    else if (type.getOrder() != tile::OrderKind::Natural)
      fields.append({i32, pointer});
    return LLVM::LLVMStructType::getLiteral(context, fields);
  });
  addConversion([=](tile::NumbersType) -> Type { return pointer; });
  addConversion([=](tile::LayoutType) -> Type {
    return LLVM::LLVMStructType::getLiteral(
        context, {pointer, pointer, pointer, i32, i32, i32, pointer, i32});
  });
  addConversion([=](warp::BlockListType) -> Type {
    SmallVector<Type> fields = {pointer, pointer};
    fields.append(2 * RowBlocks::kRuns - 1, i32);
    return LLVM::LLVMStructType::getLiteral(context, fields);
  });
  addConversion([=](warp::BufferType) -> Type { return i32; });
  auto cast = [](OpBuilder &builder, Type type, ValueRange values, Location loc) -> Value {
    return UnrealizedConversionCastOp::create(builder, loc, type, values).getResult(0);
  };
  addSourceMaterialization(cast);
  addTargetMaterialization(cast);
}

static int warpsAround(Operation *op) {
  auto function = op->getParentOfType<LLVM::LLVMFuncOp>();
  return static_cast<int>(function->getAttrOfType<IntegerAttr>(warp::kWarpsAttr).getInt());
}

ThreadEmitter::ThreadEmitter(Operation *op, OpBuilder &builder)
    : ImplicitLocOpBuilder(op->getLoc(), builder), warpCount(warpsAround(op)) {}

Value ThreadEmitter::thread() {
  return nvvm::threadIndex(*this);
}

Value ThreadEmitter::warpRow(const fragments::Fragment &held) {
  return multiply(divide(warp(), held.warpsAcross), held.warpRows);
}
Value ThreadEmitter::warpColumn(const fragments::Fragment &held) {
  return multiply(remainder(warp(), held.warpsAcross), held.warpColumns);
}

Value ThreadEmitter::firstRow(const fragments::Fragment &held) {
  Value own = laneRow(held.lane);
  return held.warpRows ? add(own, warpRow(held)) : own;
}
Value ThreadEmitter::firstColumn(const fragments::Fragment &held) {
  Value own = laneColumn(held.lane);
  return held.warpColumns ? add(own, warpColumn(held)) : own;
}

Value ThreadEmitter::laneRow(const fragments::LaneMap &map) {
  return map.rowFactor ? multiply(divide(lane(), map.rowDivisor), map.rowFactor) : i32(0);
}
Value ThreadEmitter::laneColumn(const fragments::LaneMap &map) {
  return map.columnFactor ? multiply(remainder(lane(), map.columnModulus), map.columnFactor)
                          : i32(0);
}

Value ThreadEmitter::i32(int64_t value) {
  return create<LLVM::ConstantOp>(getI32Type(), getI32IntegerAttr(static_cast<int32_t>(value)));
}
Value ThreadEmitter::i64(int64_t value) {
  return create<LLVM::ConstantOp>(getI64Type(), getI64IntegerAttr(value));
}
Value ThreadEmitter::wide(Value value) {
  return create<LLVM::SExtOp>(getI64Type(), value);
}

static Value constantLike(ThreadEmitter &emit, Value value, int64_t constant) {
  return value.getType().isInteger(64) ? emit.i64(constant) : emit.i32(constant);
}

Value ThreadEmitter::add(Value a, Value b) {
  return create<LLVM::AddOp>(a, b);
}
Value ThreadEmitter::add(Value a, int64_t b) {
  return b ? add(a, constantLike(*this, a, b)) : a;
}
Value ThreadEmitter::multiply(Value a, Value b) {
  return create<LLVM::MulOp>(a, b);
}
Value ThreadEmitter::multiply(Value a, int64_t b) {
  return b == 1 ? a : multiply(a, constantLike(*this, a, b));
}
Value ThreadEmitter::bitAnd(Value a, Value b) {
  return create<LLVM::AndOp>(a, b);
}
Value ThreadEmitter::bitAnd(Value a, int64_t mask) {
  return bitAnd(a, constantLike(*this, a, mask));
}
Value ThreadEmitter::bitOr(Value a, int64_t b) {
  return create<LLVM::OrOp>(a, constantLike(*this, a, b));
}
Value ThreadEmitter::bitXor(Value a, Value b) {
  return create<LLVM::XOrOp>(a, b);
}
Value ThreadEmitter::bitXor(Value a, int64_t b) {
  return b ? bitXor(a, constantLike(*this, a, b)) : a;
}
Value ThreadEmitter::shiftLeft(Value a, int bits) {
  return bits ? create<LLVM::ShlOp>(a, constantLike(*this, a, bits)) : a;
}
Value ThreadEmitter::shiftRight(Value a, int bits) {
  return bits ? create<LLVM::LShrOp>(a, constantLike(*this, a, bits)) : a;
}
Value ThreadEmitter::divide(Value a, int64_t b) {
  return b == 1 ? a : create<LLVM::UDivOp>(a, constantLike(*this, a, b));
}
Value ThreadEmitter::remainder(Value a, int64_t b) {
  return create<LLVM::URemOp>(a, constantLike(*this, a, b));
}
std::pair<Value, Value> ThreadEmitter::divideBy(Value a, Value pointer, int64_t index,
                                                bool invariant) {
  auto unsignedWide = [&](Value value) -> Value {
    return create<LLVM::ZExtOp>(getI64Type(), value);
  };
  auto at = [&](int64_t i) { return number(pointer, index + i, invariant); };
  Value product = multiply(unsignedWide(a), unsignedWide(at(1)));
  Value shifted = create<LLVM::LShrOp>(product, unsignedWide(at(2)));
  Value quotient = create<LLVM::TruncOp>(getI32Type(), shifted);
  return {quotient, subtract(a, multiply(quotient, at(0)))};
}
Value ThreadEmitter::below(Value a, Value b) {
  return create<LLVM::ICmpOp>(LLVM::ICmpPredicate::ult, a, b);
}

Value ThreadEmitter::subtract(Value a, Value b) {
  return create<LLVM::SubOp>(a, b);
}
Value ThreadEmitter::least(Value a, Value b) {
  return create<LLVM::SMinOp>(a, b);
}
Value ThreadEmitter::most(Value a, Value b) {
  return create<LLVM::SMaxOp>(a, b);
}
Value ThreadEmitter::equal(Value a, int64_t b) {
  return create<LLVM::ICmpOp>(LLVM::ICmpPredicate::eq, a, constantLike(*this, a, b));
}
Value ThreadEmitter::less(Value a, Value b) {
  return create<LLVM::ICmpOp>(LLVM::ICmpPredicate::slt, a, b);
}
Value ThreadEmitter::atLeast(Value a, Value b) {
  return create<LLVM::ICmpOp>(LLVM::ICmpPredicate::sge, a, b);
}
Value ThreadEmitter::greater(Value a, int64_t b) {
  return create<LLVM::ICmpOp>(LLVM::ICmpPredicate::sgt, a, constantLike(*this, a, b));
}
Value ThreadEmitter::select(Value condition, Value a, Value b) {
  return create<LLVM::SelectOp>(condition, a, b);
}
Value ThreadEmitter::isNull(Value pointer) {
  return create<LLVM::ICmpOp>(LLVM::ICmpPredicate::eq, pointer,
                              create<LLVM::ZeroOp>(pointer.getType()));
}
Value ThreadEmitter::number(Value pointer, int64_t index, bool invariant) {
  auto load = create<LLVM::LoadOp>(getI32Type(), advance(pointer, 4 * index), 4);
  load.setInvariant(invariant);
  return load;
}

SmallVector<Value> ThreadEmitter::choose(Value condition, Way then, Way otherwise) {
  auto branch = create<scf::IfOp>(
      condition, [&](OpBuilder &, Location) { create<scf::YieldOp>(then()); },
      [&](OpBuilder &, Location) { create<scf::YieldOp>(otherwise()); });
  return SmallVector<Value>(branch.getResults());
}

void ThreadEmitter::when(Value condition) {
  auto branch = create<scf::IfOp>(condition, /*withElseRegion=*/false);
  setInsertionPointToStart(branch.thenBlock());
}
Value ThreadEmitter::orZero(Value exists, Value value) {
  return select(exists, value, create<LLVM::ConstantOp>(value.getType(), 0));
}

Value ThreadEmitter::field(Value aggregate, int64_t index) {
  return create<LLVM::ExtractValueOp>(aggregate, ArrayRef<int64_t>{index});
}
Value ThreadEmitter::element(Value vector, int64_t index) {
  return create<LLVM::ExtractElementOp>(vector, i32(index));
}
SmallVector<Value> ThreadEmitter::elements(Value vector) {
  SmallVector<Value> values;
  for (int64_t i = 0, n = cast<VectorType>(vector.getType()).getNumElements(); i < n; ++i)
    values.push_back(element(vector, i));
  return values;
}
Value ThreadEmitter::pack(ArrayRef<Value> elements) {
  auto type = VectorType::get({int64_t(elements.size())}, elements[0].getType());
  Value vector = create<LLVM::PoisonOp>(type);
  for (auto [i, value] : llvm::enumerate(elements))
    vector = create<LLVM::InsertElementOp>(vector, value, i32(i));
  return vector;
}
Value ThreadEmitter::shuffle(Value vector, ArrayRef<int32_t> order) {
  return create<LLVM::ShuffleVectorOp>(vector, create<LLVM::PoisonOp>(vector.getType()), order);
}

Value ThreadEmitter::shared(Value offset, int64_t constant) {
  Value base = create<LLVM::AddressOfOp>(LLVM::LLVMPointerType::get(getContext(), kSharedSpace),
                                         kSharedSymbol);
  return advance(advance(base, create<LLVM::ZExtOp>(getI64Type(), offset)), constant);
}
Value ThreadEmitter::advance(Value pointer, Value bytes) {
  return create<LLVM::GEPOp>(pointer.getType(), getI8Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{bytes});
}
Value ThreadEmitter::advance(Value pointer, int64_t bytes) {
  if (bytes == 0)
    return pointer;
  return create<LLVM::GEPOp>(pointer.getType(), getI8Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(bytes)});
}
Value ThreadEmitter::shuffleQuad(Value value, Value lane) {
  // Segments of four lanes: 0x1c keeps the upper bits of the lane.
  return nvvm::shuffle(*this, nvvm::Shuffle::Index, value, lane, 0x1c1f);
}
Value ThreadEmitter::shuffleXor(Value value, int mask) {
  return nvvm::shuffle(*this, nvvm::Shuffle::Xor, value, i32(mask), 31);
}

BufferAddress::BufferAddress(ThreadEmitter &emit, warp::BufferType type, Value buffer, Value row,
                             Value chunk)
    : emit(emit), type(type) {
  Value lane = type.getSwizzle() ? emit.bitXor(chunk, emit.bitAnd(row, 7)) : chunk;
  lanes = emit.add(emit.add(emit.multiply(row, type.getPitch()), emit.multiply(lane, 16)), buffer);
}

Value BufferAddress::at(int row, int chunk, int extraBytes) {
  int flipped = type.getSwizzle() ? chunk % 8 : 0;
  Value &variant = variants[flipped];
  if (!variant)
    variant = emit.bitXor(lanes, 16 * flipped);
  return emit.shared(variant, row * type.getPitch() + 16 * (chunk - flipped) + extraBytes);
}

} // namespace sparsec
