// warp-to-llvm, element by element: arith and math on encoded tensors become the same operations on
// the thread's vectors; broadcasts follow the register maps.
#include "codegen/ptx/Lowering.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace sparsec {
namespace {

/// An operation on tensors is the same operation on vectors.
struct SameOnVectors : ConversionPattern {
  SameOnVectors(const TypeConverter &types, MLIRContext *context)
      : ConversionPattern(types, MatchAnyOpTypeTag(), 1, context) {}

  LogicalResult matchAndRewrite(Operation *op, ArrayRef<Value> operands,
                                ConversionPatternRewriter &rewriter) const override {
    if (!OpTrait::hasElementwiseMappableTraits(op))
      return failure();
    SmallVector<Type> results;
    if (failed(getTypeConverter()->convertTypes(op->getResultTypes(), results)))
      return failure();
    OperationState state(op->getLoc(), op->getName(), operands, results, op->getAttrs());
    rewriter.replaceOp(op, rewriter.create(state));
    return success();
  }
};

struct ConstantPattern : OpConversionPattern<arith::ConstantOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(arith::ConstantOp op, OpAdaptor,
                                ConversionPatternRewriter &rewriter) const override {
    auto values = dyn_cast<SplatElementsAttr>(op.getValue());
    auto type = getTypeConverter()->convertType<VectorType>(op.getType());
    if (!values || !type)
      return rewriter.notifyMatchFailure(op, "expected one value in every element");
    rewriter.replaceOpWithNewOp<arith::ConstantOp>(op, values.resizeSplat(type));
    return success();
  }
};

/// exp2 and the logarithms are the machine's approximations, one element at a time.
template <class Op>
struct ApproximatePattern : OpConversionPattern<Op> {
  ApproximatePattern(const TypeConverter &types, MLIRContext *context, StringRef intrinsic,
                     double factor = 1)
      : OpConversionPattern<Op>(types, context), intrinsic(intrinsic), factor(factor) {}

  LogicalResult matchAndRewrite(Op op, typename Op::Adaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    auto type = dyn_cast<VectorType>(adaptor.getOperand().getType());
    if (!type || !type.getElementType().isF32())
      return rewriter.notifyMatchFailure(op, "expected f32");
    ThreadEmitter emit(op, rewriter);
    SmallVector<Value> values = emit.elements(adaptor.getOperand());
    for (Value &value : values) {
      value = emit.create<LLVM::CallIntrinsicOp>(emit.getF32Type(), emit.getStringAttr(intrinsic),
                                                 ValueRange{value})
                  .getResults();
      if (factor != 1)
        value = emit.create<LLVM::FMulOp>(
            value, emit.create<LLVM::ConstantOp>(emit.getF32Type(), emit.getF32FloatAttr(factor)));
    }
    rewriter.replaceOp(op, emit.pack(values));
    return success();
  }

private:
  StringRef intrinsic;
  double factor;
};

/// exp x = 2^(x log2 e): the product in two parts, since its rounding alone would be as far off as
/// x is large. Where the power is 0 or infinite the second part does not matter.
struct ExpPattern : OpConversionPattern<math::ExpOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(math::ExpOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Type type = adaptor.getOperand().getType();
    if (!getElementTypeOrSelf(type).isF32())
      return rewriter.notifyMatchFailure(op, "expected f32");
    ThreadEmitter emit(op, rewriter);
    if (!isa<VectorType>(type)) {
      rewriter.replaceOp(op, exp(emit, adaptor.getOperand()));
      return success();
    }
    SmallVector<Value> values = emit.elements(adaptor.getOperand());
    for (Value &value : values)
      value = exp(emit, value);
    rewriter.replaceOp(op, emit.pack(values));
    return success();
  }

  static Value exp(ThreadEmitter &emit, Value x) {
    Type f32 = emit.getF32Type();
    auto constant = [&](double value) -> Value {
      return emit.create<LLVM::ConstantOp>(f32, FloatAttr::get(f32, value));
    };
    constexpr double kLog2e = 1.4426950408889634074;
    constexpr float kUpper = kLog2e;
    Value upper = emit.create<LLVM::FMulOp>(x, constant(kUpper));
    Value lower = emit.create<LLVM::FMAOp>(x, constant(kUpper), emit.create<LLVM::FNegOp>(upper));
    lower = emit.create<LLVM::FMAOp>(x, constant(kLog2e - double(kUpper)), lower);
    Value finite = emit.create<LLVM::FCmpOp>(LLVM::FCmpPredicate::olt,
                                             emit.create<LLVM::FAbsOp>(upper), constant(256));
    lower = emit.select(finite, lower, constant(0));
    auto power = [&](Value of) -> Value {
      return emit
          .create<LLVM::CallIntrinsicOp>(f32, emit.getStringAttr("llvm.nvvm.ex2.approx.ftz.f"),
                                         ValueRange{of})
          .getResults();
    };
    return emit.create<LLVM::FMulOp>(power(upper), power(lower));
  }
};

/// f32 to 16 bits, two at a time: one instruction, and the pair is what stores and products take.
struct NarrowPattern : OpConversionPattern<arith::TruncFOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(arith::TruncFOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<VectorType>(op.getType());
    auto source = dyn_cast<VectorType>(adaptor.getIn().getType());
    if (!type || !source || !source.getElementType().isF32())
      return rewriter.notifyMatchFailure(op, "expected f32");
    bool half = type.getElementType().isF16();
    if (!half && !type.getElementType().isBF16())
      return rewriter.notifyMatchFailure(op, "expected f16 or bf16");
    ThreadEmitter emit(op, rewriter);
    SmallVector<Value> wide = emit.elements(adaptor.getIn()), narrow;
    if (wide.size() % 2)
      wide.push_back(wide.back());
    for (size_t i = 0; i < wide.size(); i += 2) {
      Value pair =
          emit.create<LLVM::CallIntrinsicOp>(
                  VectorType::get({2}, type.getElementType()),
                  emit.getStringAttr(half ? "llvm.nvvm.ff2f16x2.rn" : "llvm.nvvm.ff2bf16x2.rn"),
                  ValueRange{wide[i + 1], wide[i]}) // the upper half comes first
              .getResults();
      narrow.append(emit.elements(pair));
    }
    narrow.truncate(type.getNumElements());
    rewriter.replaceOp(op, emit.pack(narrow));
    return success();
  }
};

/// Scores are never NaN, so the machine's plain maximum will do.
struct MaximumPattern : OpConversionPattern<arith::MaximumFOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(arith::MaximumFOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<LLVM::MaxNumOp>(op, adaptor.getLhs(), adaptor.getRhs());
    return success();
  }
};

struct MaskPattern : OpConversionPattern<tile::MaskOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::MaskOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    auto type = cast<VectorType>(adaptor.getScores().getType());
    float infinity = -std::numeric_limits<float>::infinity();
    Value nothing =
        arith::ConstantOp::create(rewriter, op.getLoc(), DenseElementsAttr::get(type, infinity));
    rewriter.replaceOpWithNewOp<arith::SelectOp>(op, adaptor.getAttend(), adaptor.getScores(),
                                                 nothing);
    return success();
  }
};

/// A table is a constant of the module, in global memory: its threads read different entries.
struct LookupPattern : OpConversionPattern<tile::LookupOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::LookupOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    LLVM::GlobalOp table = tableOf(op, rewriter);
    ThreadEmitter emit(op, rewriter);
    Value base = emit.create<LLVM::AddressOfOp>(
        LLVM::LLVMPointerType::get(emit.getContext(), kGlobalSpace), table.getSymName());
    auto entry = [&](Value index) -> Value {
      Value offset = emit.shiftLeft(emit.create<LLVM::ZExtOp>(emit.getI64Type(), index), 2);
      return emit.number(emit.advance(base, offset), 0, /*invariant=*/true);
    };
    if (!isa<VectorType>(adaptor.getIndex().getType())) {
      rewriter.replaceOp(op, entry(adaptor.getIndex()));
      return success();
    }
    SmallVector<Value> values = emit.elements(adaptor.getIndex());
    for (Value &value : values)
      value = entry(value);
    rewriter.replaceOp(op, emit.pack(values));
    return success();
  }

  /// One for each different table.
  static LLVM::GlobalOp tableOf(tile::LookupOp op, ConversionPatternRewriter &rewriter) {
    auto module = op->getParentOfType<ModuleOp>();
    ArrayRef<int32_t> entries = op.getTable();
    auto type = LLVM::LLVMArrayType::get(rewriter.getI32Type(), entries.size());
    auto value = DenseElementsAttr::get(
        RankedTensorType::get({int64_t(entries.size())}, rewriter.getI32Type()), entries);
    int count = 0;
    for (auto global : module.getOps<LLVM::GlobalOp>()) {
      if (global.getValueOrNull() == value)
        return global;
      count += global.getSymName().starts_with(kTableSymbol);
    }
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPointToStart(module.getBody());
    return LLVM::GlobalOp::create(rewriter, op.getLoc(), type, /*isConstant=*/true,
                                  LLVM::Linkage::Internal,
                                  (Twine(kTableSymbol) + Twine(count)).str(), value,
                                  /*alignment=*/4, kGlobalSpace);
  }
  static constexpr StringRef kTableSymbol = "sparsec_table_";
};

struct SplatPattern : OpConversionPattern<tile::SplatOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::SplatOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<VectorType>(op.getType());
    if (!type)
      return failure();
    ThreadEmitter emit(op, rewriter);
    SmallVector<Value> values(type.getNumElements(), adaptor.getScalar());
    rewriter.replaceOp(op, emit.pack(values));
    return success();
  }
};

/// Each element of the result is the element of the slice for its row (or column).
struct ExpandPattern : OpConversionPattern<tile::ExpandOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::ExpandOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    bool byRow = op.getDim() == 1;
    fragments::Fragment to = warp::fragmentOf(op.getResult().getType());
    fragments::Fragment from = warp::fragmentOf(op.getInput().getType()); // of all parts
    SmallVector<int32_t> order;
    for (fragments::Coordinate element : to.registers) {
      fragments::Coordinate wanted =
          byRow ? fragments::Coordinate{element.row, 0} : fragments::Coordinate{0, element.column};
      auto found = llvm::find(from.registers, wanted);
      order.push_back(found - from.registers.begin());
    }
    ThreadEmitter emit(op, rewriter);
    rewriter.replaceOp(op, emit.shuffle(adaptor.getInput(), order));
    return success();
  }
};

/// Accumulator to left operand: the same elements in the same thread, paired up.
struct ConvertPattern : OpConversionPattern<warp::ConvertOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(warp::ConvertOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    auto typeOf = [](Value value) { return cast<RankedTensorType>(value.getType()); };
    fragments::Fragment from = warp::fragmentOf(typeOf(op.getSource()));
    fragments::Fragment to = warp::fragmentOf(typeOf(op.getResult()));
    if (from.lane != to.lane)
      return rewriter.notifyMatchFailure(op, "elements would change threads");
    SmallVector<int32_t> order;
    for (fragments::Coordinate element : to.registers)
      order.push_back(llvm::find(from.registers, element) - from.registers.begin());
    ThreadEmitter emit(op, rewriter);
    SmallVector<Value> elements = emit.elements(adaptor.getSource()), pairs;
    for (size_t i = 0; i < order.size(); i += 2)
      pairs.push_back(emit.create<LLVM::BitcastOp>(
          emit.getI32Type(), emit.pack({elements[order[i]], elements[order[i + 1]]})));
    rewriter.replaceOp(op, emit.pack(pairs));
    return success();
  }
};

struct PartPattern : OpConversionPattern<warp::PartOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(warp::PartOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    auto type = cast<RankedTensorType>(op.getResult().getType());
    size_t count = warp::elementsPerThread(type);
    size_t first = count * cast<warp::PartAttr>(type.getEncoding()).getIndex();
    ThreadEmitter emit(op, rewriter);
    SmallVector<Value> values = emit.elements(adaptor.getSource());
    rewriter.replaceOp(op, emit.pack(ArrayRef(values).slice(first, count)));
    return success();
  }
};

} // namespace

void populateElementwisePatterns(RewritePatternSet &patterns, const ThreadTypes &types) {
  MLIRContext *context = patterns.getContext();
  patterns.add<NarrowPattern, MaximumPattern, ExpPattern, LookupPattern>(types, context,
                                                                         PatternBenefit(2));
  patterns.add<SameOnVectors, ConstantPattern, MaskPattern, SplatPattern, ExpandPattern,
               ConvertPattern, PartPattern>(types, context);
  constexpr double kLn2 = 0.693147180559945309417232121458;
  patterns.add<ApproximatePattern<math::Exp2Op>>(types, context, "llvm.nvvm.ex2.approx.ftz.f");
  patterns.add<ApproximatePattern<math::Log2Op>>(types, context, "llvm.nvvm.lg2.approx.ftz.f");
  patterns.add<ApproximatePattern<math::LogOp>>(types, context, "llvm.nvvm.lg2.approx.ftz.f", kLn2);
}

} // namespace sparsec
