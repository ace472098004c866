// Embedding and the gradient of a table by one-hot products with all positions: their kernels as
// tile programs. That by segments of sorted tokens: Segments.cpp.
#include "kernel/ops/Embedding.h"
#include "dialect/Ops.h"
#include "dialect/ops/embedding/SlabWriter.h"
#include "layout/OrderNumbers.h"

using namespace mlir;
using namespace sparsec::tile;

namespace sparsec::ops {
namespace {

//===-- Forward -------------------------------------------------------------------------------===//

class Forward : SlabWriter {
public:
  Forward(EmbeddingOp op, OpBuilder &builder)
      : SlabWriter(op.getLoc(), builder, op.getColumns(), op.getSlab()), op(op) {}

  void build() {
    addArgument("tokens", b.view(op.getTokens(), 1));
    addSlabs("table", op.getTables());
    if (op.getPositions())
      addArgument("indices", b.view(b.getI32Type(), 1));
    for (uint64_t i = 0; i < op.getPositions(); ++i)
      addSlabs("position" + std::to_string(i), op.getTables());
    addSlabs("x", op.getDtype());
    addIntegers({"items", "tiles", "slabs", "n", "classes"});
    write(op.getSymName(), [&] { body(); });
  }

private:
  void body() {
    Value item = b.create<WorkOp>(WorkKind::Range, argument("items")).getResult(0);
    Value rest = divide(item, argument("tiles"));
    Value sequence = divide(rest, argument("slabs"));
    enterSlab(remainder(rest, argument("slabs")));
    constexpr int64_t kRows = EmbeddingRequest::kTileRows;
    Value rows = rowsOf(remainder(item, argument("tiles")), argument("n"), kRows);
    auto type = b.tensor({kRows}, b.getI32Type());
    Value token = b.create<LoadOp>(type, argument("tokens"), ValueRange{sequence}, rows, Value());
    Value known = b.create<arith::CmpIOp>(arith::CmpIPredicate::ult, token,
                                          b.splat(argument("classes"), {kRows}));
    Value none = b.create<arith::ConstantOp>(DenseElementsAttr::get(type, kNoPosition));
    Value zero = b.i32(0);
    Value sum = b.widen(loadSlab("table", zero, b.rowsAt(b.select(known, token, none))));
    for (uint64_t i = 0; i < op.getPositions(); ++i) {
      Value index = b.load(argument("indices"), {b.i32(int64_t(i))}, rows);
      Value row = loadSlab("position" + std::to_string(i), zero, b.rowsAt(index));
      sum = b.add(sum, b.widen(row));
    }
    storeSlab(b.convert(sum, op.getDtype()), "x", sequence, rows);
  }

  EmbeddingOp op;
};

//===-- The gradient of a table ---------------------------------------------------------------===//

class Gradient : SlabWriter {
public:
  Gradient(EmbeddingGradientOp op, OpBuilder &builder)
      : SlabWriter(op.getLoc(), builder, op.getColumns(), op.getSlab()), op(op),
        blockQ(op.getBlockQ()), blockK(op.getBlockK()),
        sums(b.tensor({blockQ, slab}, b.getF32Type())) {}

  /// Over the batches of a part: [part, slab, rows].
  void parts() {
    addArgument("index", b.view(op.getIndex(), 1));
    addSlabs("dx", op.getDtype());
    addSlabs("sums", b.getF32Type());
    addArgument("layout", LayoutType::get(b.getContext()));
    addIntegers({"n", "nq", "batch", "share"});
    write((op.getSymName() + "_parts").str(), [&] { partsBody(); });
  }
  void sum() {
    addSlabs("sums", b.getF32Type());
    addSlabs("gradient", b.getF32Type());
    addIntegers({"items", "tiles", "nq", "prior_rows", "parts"});
    write((op.getSymName() + "_sum").str(), [&] { sumBody(); });
  }

private:
  void partsBody() {
    auto work = b.create<WorkOp>(WorkKind::Rows, argument("layout"));
    Value part = work.getResult(0), row = work.getResult(2), tableRow = work.getResult(3);
    enterSlab(work.getResult(1));
    Value rows = rowsOf(row, argument("nq"), blockQ);
    Value ofRow = b.create<ExpandOp>(b.tensor({blockQ, blockK}, b.getI32Type()), b.positions(rows),
                                     /*dim=*/1);
    Value low = b.create<arith::MulIOp>(part, argument("share"));
    Value high = b.create<arith::MinSIOp>(b.create<arith::AddIOp>(low, argument("share")),
                                          argument("batch"));
    Value total = loop(low, high, b.constant(sums, 0), [&](Value sequence, Value sum) {
      return foldSequence(sequence, sum, ofRow, tableRow);
    });
    storeSlab(total, "sums", part, rows);
  }

  Value foldSequence(Value sequence, Value sum, Value ofRow, Value tableRow) {
    Value blocks = b.create<BlocksOp>(BlockSet::All, argument("layout"), tableRow);
    auto fold = b.create<FoldOp>(TypeRange{sums}, blocks, ValueRange{sum});
    OpBuilder::InsertionGuard guard(b);
    mlir::Block &fetch = enter(fold.getFetch(), b.getI32Type());
    Value positions = rowsOf(fetch.getArgument(0), argument("n"), blockK);
    Value index = b.create<LoadOp>(b.tensor({blockK}, b.getI32Type()), argument("index"),
                                   ValueRange{sequence}, positions, Value());
    b.create<YieldOp>(ValueRange{index, loadSlab("dx", sequence, positions)});

    enter(fold.getLead(), fold.fetchYield().getValues().getTypes());
    b.create<YieldOp>(ValueRange{});

    SmallVector<Type> types(fold.fetchYield().getValues().getTypes());
    types.push_back(sums);
    mlir::Block &step = enter(fold.getStep(), types);
    // Positions that do not exist have index 0, and rows of zeros.
    Value next = addRowsOf(ofRow, step.getArgument(0), step.getArgument(1), step.getArgument(2));
    b.create<YieldOp>(ValueRange{next});
    return fold.getResult(0);
  }

  void sumBody() {
    Value item = b.create<WorkOp>(WorkKind::Range, argument("items")).getResult(0);
    enterSlab(divide(item, argument("tiles")));
    Value tile = remainder(item, argument("tiles")), zero = b.i32(0);
    Value rows = rowsOf(tile, argument("nq"), blockQ);
    Value prior = rowsOf(tile, argument("prior_rows"), blockQ); // none: read as 0
    Value total =
        loop(zero, argument("parts"), loadSlab("gradient", zero, prior),
             [&](Value part, Value sum) { return b.add(sum, loadSlab("sums", part, rows)); });
    storeSlab(total, "gradient", zero, rows);
  }

  EmbeddingGradientOp op;
  int64_t blockQ, blockK;
  RankedTensorType sums;
};

Type indexType(OpBuilder &builder, IndexType type) {
  return builder.getIntegerType(8 * unsigned(bytes(type)));
}

} // namespace

void EmbeddingOp::buildKernels(OpBuilder &builder) {
  Forward(*this, builder).build();
}

void EmbeddingGradientOp::buildKernels(OpBuilder &builder) {
  Gradient gradient(*this, builder);
  gradient.parts();
  gradient.sum();
}

void describe(OpBuilder &builder, const EmbeddingRequest &request) {
  MLIRContext *context = builder.getContext();
  auto i64 = [&](int64_t value) { return builder.getI64IntegerAttr(value); };
  EmbeddingOp::create(builder, builder.getUnknownLoc(), builder.getStringAttr(request.entry),
                      i64(request.columns), TypeAttr::get(elementType(context, request.tables)),
                      TypeAttr::get(elementType(context, request.dtype)),
                      TypeAttr::get(indexType(builder, request.tokens)), i64(request.positions),
                      i64(request.slab()));
}

void describe(OpBuilder &builder, const EmbeddingGradientRequest &request) {
  auto i64 = [&](int64_t value) { return builder.getI64IntegerAttr(value); };
  StringAttr entry = builder.getStringAttr(request.entry);
  auto dtype = TypeAttr::get(elementType(builder.getContext(), request.dtype));
  auto index = TypeAttr::get(indexType(builder, request.index));
  if (request.sorted)
    EmbeddingSegmentsOp::create(builder, builder.getUnknownLoc(), entry, i64(request.columns),
                                dtype, index, i64(request.slab()));
  else
    EmbeddingGradientOp::create(builder, builder.getUnknownLoc(), entry, i64(request.columns),
                                dtype, index, i64(request.slab()), i64(request.block.q),
                                i64(request.block.k));
}

} // namespace sparsec::ops
