// Attention: what it refuses, and its kernels as tile programs.
#include "dialect/Ops.h"
#include "dialect/TileBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;
using namespace sparsec::tile;

namespace sparsec::ops {

/// A size of a tile: a multiple of 16 in a range.
static LogicalResult verifySize(AttentionOp op, StringRef what, int64_t size, int64_t most) {
  if (size >= 16 && size <= most && size % 16 == 0)
    return success();
  return op.emitOpError() << "expected " << what << " to be a multiple of 16 from 16 to " << most
                          << ", found " << size;
}

LogicalResult AttentionOp::verify() {
  Type type = getDtype();
  if (!type.isF16() && !type.isBF16() && !type.isF32())
    return emitOpError() << "expected dtype f16, bf16 or f32, found " << type;
  return success(succeeded(verifySize(*this, "head_dim", getHeadDim(), 256)) &&
                 succeeded(verifySize(*this, "value_dim", getValueDim(), 256)) &&
                 succeeded(verifySize(*this, "block_q", getBlockQ(), 128)) &&
                 succeeded(verifySize(*this, "block_k", getBlockK(), 128)));
}

namespace {

/// The state of the online softmax of each row: over the scores s seen so far (in units of ln 2),
/// m = max s, l = sum of 2^(s - m), o = sum of 2^(s - m) v. Where m is -inf, l and o are 0.
struct Softmax {
  Value m, l, o;
};

OrderKind kindOf(OrderAttr order) {
  return order ? order.getKind() : OrderKind::Natural;
}

/// Writes attention forward: one fold over all live blocks of a block row, every score masked.
class Forward {
public:
  Forward(AttentionOp op, OpBuilder &builder)
      : op(op), b(op.getLoc(), builder), headDim(op.getHeadDim()), valueDim(op.getValueDim()),
        blockQ(op.getBlockQ()), blockK(op.getBlockK()), queryOrder(kindOf(op.getQueriesAttr())),
        keyOrder(kindOf(op.getKeysAttr())) {}

  KernelOp build();

private:
  void addArgument(StringRef name, Type type, bool optional = false);
  Value argument(StringRef name) { return kernel.argument(name); }
  void body();
  void fetch(FoldOp fold);
  void lead(FoldOp fold);
  void step(FoldOp fold);
  Softmax update(const Softmax &before, Value scores, Value values);
  void finish(const Softmax &softmax);

  /// A tile of an axis: "query" or "key".
  Value rowsOf(StringRef axis, OrderKind order, Value tile, StringRef length, int64_t size);
  Softmax start();

  AttentionOp op;
  TileBuilder b;
  int64_t headDim, valueDim, blockQ, blockK;
  OrderKind queryOrder, keyOrder;
  SmallVector<Attribute> names;
  SmallVector<Type> types;
  SmallVector<bool> optional;
  KernelOp kernel;
  // Of this work item.
  Value batch, head, kvHead, rows, queries, queryPositions, scale;
};

void Forward::addArgument(StringRef name, Type type, bool isOptional) {
  names.push_back(b.getStringAttr(name));
  types.push_back(type);
  optional.push_back(isOptional);
}

KernelOp Forward::build() {
  ViewType view = b.view(op.getDtype(), 3);
  for (StringRef name : {"q", "k", "v"})
    addArgument(name, view);
  addArgument("out", op.getPartial() ? b.view(b.getF32Type(), 3) : view);
  ViewType perRow = b.view(b.getF32Type(), 2), sums = b.view(b.getF32Type(), 3);
  if (op.getPartial()) {
    addArgument("row_max", perRow);
    addArgument("row_sum", perRow);
  } else if (op.getLse()) {
    addArgument("lse", perRow, /*isOptional=*/true);
  }
  if (op.getPrior()) {
    addArgument("prior_out", sums);
    addArgument("prior_max", perRow);
    addArgument("prior_sum", perRow);
  }
  if (queryOrder != OrderKind::Natural)
    addArgument("query_order", NumbersType::get(b.getContext()));
  if (keyOrder != OrderKind::Natural)
    addArgument("key_order", NumbersType::get(b.getContext()));
  addArgument("layout", LayoutType::get(b.getContext()));
  for (StringRef name : {"n", "nq", "q0", "head_group"})
    addArgument(name, b.getI32Type());
  addArgument("scale", b.getF32Type());

  kernel = b.create<KernelOp>(op.getSymName(), b.getArrayAttr(names), optional);
  Block &block = kernel.getBody().emplaceBlock();
  block.addArguments(types, SmallVector<Location>(types.size(), op.getLoc()));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&block);
  body();
  return kernel;
}

void Forward::body() {
  auto work = b.create<WorkOp>(WorkKind::Rows, argument("layout"));
  batch = work.getResult(0);
  head = work.getResult(1);
  Value blockRow = work.getResult(2), layoutRow = work.getResult(3);
  kvHead = b.create<arith::DivUIOp>(head, argument("head_group"));

  rows = rowsOf("query", queryOrder, blockRow, "nq", blockQ);
  queries = b.load(argument("q"), {batch, head}, rows, headDim);
  Value first = b.splat(argument("q0"), {blockQ});
  queryPositions = b.create<arith::AddIOp>(b.positions(rows), first);
  // Scores in units of ln 2, so that exponentials are powers of two.
  constexpr float log2e = 1.4426950408889634f;
  Value perScore = b.create<arith::MulFOp>(argument("scale"), b.constant(log2e));
  scale = b.splat(perScore, {blockQ, blockK});

  Softmax none = start();
  Value blocks = b.create<BlocksOp>(BlockSet::All, argument("layout"), layoutRow);
  SmallVector<Value> carries = {none.m, none.l, none.o};
  auto fold = b.create<FoldOp>(ValueRange(carries).getTypes(), blocks, carries);
  fetch(fold);
  lead(fold);
  step(fold);
  finish({fold.getResult(0), fold.getResult(1), fold.getResult(2)});
  b.create<ReturnOp>();
}

Value Forward::rowsOf(StringRef axis, OrderKind order, Value tile, StringRef length, int64_t size) {
  Value numbers = order == OrderKind::Natural ? Value() : argument((axis + "_order").str());
  return b.rows(order, tile, argument(length), numbers, size);
}

/// Before any block: nothing seen, or what the parts before have seen. Parts hand each other the
/// state as it is, so that a head in parts rounds no more than one that is folded in one go.
Softmax Forward::start() {
  RankedTensorType perRow = b.tensor({blockQ}, b.getF32Type());
  RankedTensorType output = b.tensor({blockQ, valueDim}, b.getF32Type());
  Value least = b.constant(perRow, -std::numeric_limits<float>::infinity());
  if (!op.getPrior())
    return {least, b.constant(perRow, 0), b.constant(output, 0)};
  return {b.load(argument("prior_max"), {batch, head}, rows),
          b.load(argument("prior_sum"), {batch, head}, rows),
          b.load(argument("prior_out"), {batch, head}, rows, valueDim)};
}

/// The block of a region of a fold, with arguments of these types; the builder writes there.
static Block &enter(TileBuilder &b, Region &region, TypeRange types) {
  Block &block = region.emplaceBlock();
  block.addArguments(types, SmallVector<Location>(types.size(), b.getLoc()));
  b.setInsertionPointToStart(&block);
  return block;
}

void Forward::fetch(FoldOp fold) {
  OpBuilder::InsertionGuard guard(b);
  Block &block = enter(b, fold.getFetch(), b.getI32Type());
  Value keyRows = rowsOf("key", keyOrder, block.getArgument(0), "n", blockK);
  Value keys = b.load(argument("k"), {batch, kvHead}, keyRows, headDim);
  Value values = b.load(argument("v"), {batch, kvHead}, keyRows, valueDim);
  b.create<YieldOp>(ValueRange{keyRows, keys, values});
}

void Forward::lead(FoldOp fold) {
  OpBuilder::InsertionGuard guard(b);
  Block &block = enter(b, fold.getLead(), fold.fetchYield().getValues().getTypes());
  auto dot =
      b.create<DotOp>(b.tensor({blockQ, blockK}, b.getF32Type()), queries, block.getArgument(1),
                      /*acc=*/Value(), /*lhs_t=*/false, /*rhs_t=*/true);
  b.create<YieldOp>(ValueRange{b.multiply(dot, scale)});
}

void Forward::step(FoldOp fold) {
  OpBuilder::InsertionGuard guard(b);
  SmallVector<Type> types(fold.fetchYield().getValues().getTypes());
  llvm::append_range(types, fold.leadYield().getValues().getTypes());
  llvm::append_range(types, fold.getResultTypes());
  Block &block = enter(b, fold.getStep(), types);
  Value keyRows = block.getArgument(0), values = block.getArgument(2),
        scores = block.getArgument(3);

  Value attend = b.create<PredicateOp>(b.tensor({blockQ, blockK}, b.getI1Type()), op.getPattern(),
                                       head, queryPositions, b.positions(keyRows), argument("n"),
                                       argument("nq"), /*keys_first=*/false);
  Value masked = b.create<MaskOp>(scores, attend);
  Softmax before{block.getArgument(4), block.getArgument(5), block.getArgument(6)};
  Softmax after = update(before, masked, values);
  b.create<YieldOp>(ValueRange{after.m, after.l, after.o});
}

Softmax Forward::update(const Softmax &before, Value scores, Value values) {
  auto perRow = cast<RankedTensorType>(before.m.getType());
  Value m = b.max(before.m, b.reduceRows(ReduceKind::Max, scores));
  // A row that has met no key yet: -inf - -inf has no value, -inf - 0 gives the 0 it should.
  Value empty = b.equal(m, b.constant(perRow, -std::numeric_limits<float>::infinity()));
  Value base = b.select(empty, b.constant(perRow, 0), m);
  Value p = b.exp2(b.subtract(scores, base));
  Value decay = b.exp2(b.subtract(before.m, base));
  Value l = b.create<math::FmaOp>(before.l, decay, b.reduceRows(ReduceKind::Sum, p));
  Value scaled = b.multiply(before.o, decay);
  Value o = b.create<DotOp>(scaled.getType(), b.convert(p, op.getDtype()), values, scaled,
                            /*lhs_t=*/false, /*rhs_t=*/false);
  return {m, l, o};
}

void Forward::finish(const Softmax &softmax) {
  if (op.getPartial()) {
    b.store(softmax.o, argument("out"), {batch, head}, rows);
    b.store(softmax.m, argument("row_max"), {batch, head}, rows);
    b.store(softmax.l, argument("row_sum"), {batch, head}, rows);
    return;
  }
  auto perRow = cast<RankedTensorType>(softmax.l.getType());
  Value one = b.constant(perRow, 1);
  // A row without keys has o = 0 and m = -inf: dividing by 1 gives 0, and log 1 leaves -inf.
  Value empty = b.equal(softmax.l, b.constant(perRow, 0));
  Value sum = b.select(empty, one, softmax.l);
  Value out = b.multiply(softmax.o, b.create<arith::DivFOp>(one, sum));
  b.store(b.convert(out, op.getDtype()), argument("out"), {batch, head}, rows);
  if (!op.getLse())
    return;
  Value log = b.create<math::LogOp>(sum);
  Value lse = b.create<math::FmaOp>(softmax.m, b.constant(perRow, 0.69314718055994531f), log);
  b.store(lse, argument("lse"), {batch, head}, rows);
}

} // namespace

void AttentionOp::buildKernels(OpBuilder &builder) {
  Forward(*this, builder).build();
}

} // namespace sparsec::ops
