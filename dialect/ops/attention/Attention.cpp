// Attention: what it refuses, and its kernels as tile programs.
#include "dialect/ops/attention/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace sparsec::tile;

namespace sparsec::ops {

LogicalResult AttentionOp::verify() {
  return verifySizes(*this);
}

namespace {

/// Writes attention forward: one fold over all live blocks of a block row, every score masked.
class Forward : AttentionWriter {
public:
  Forward(AttentionOp op, OpBuilder &builder) : AttentionWriter(op, builder), op(op) {}

  void build();

private:
  void body();
  void fetch(FoldOp fold);
  void lead(FoldOp fold);
  void step(FoldOp fold);
  void finish(const Softmax &softmax);
  Softmax start();

  AttentionOp op;
  // Of this work item.
  Value batch, head, kvHead, rows, queries, positions, scale;
};

void Forward::build() {
  for (StringRef name : {"q", "k", "v"})
    addArgument(name, matrices());
  addArgument("out", op.getPartial() ? sums() : matrices());
  if (op.getPartial()) {
    addArgument("row_max", perRow());
    addArgument("row_sum", perRow());
  } else if (op.getLse()) {
    addArgument("lse", perRow(), /*isOptional=*/true);
  }
  if (op.getPrior()) {
    addArgument("prior_out", sums());
    addArgument("prior_max", perRow());
    addArgument("prior_sum", perRow());
  }
  addAxes();
  addArgument("head_group", b.getI32Type());
  addArgument("scale", b.getF32Type());
  write(op.getSymName(), [&] { body(); });
}

void Forward::body() {
  auto work = b.create<WorkOp>(WorkKind::Rows, argument("layout"));
  batch = work.getResult(0);
  head = work.getResult(1);
  Value blockRow = work.getResult(2), layoutRow = work.getResult(3);
  kvHead = b.create<arith::DivUIOp>(head, argument("head_group"));

  rows = queryRows(blockRow);
  queries = b.load(argument("q"), {batch, head}, rows, headDim);
  positions = queryPositions(rows);
  // Scores in units of ln 2, so that exponentials are powers of two.
  Value perScore = b.create<arith::MulFOp>(argument("scale"), b.constant(kLog2e));
  scale = b.splat(perScore, {blockQ, blockK});

  Softmax none = start();
  Value blocks = b.create<BlocksOp>(BlockSet::All, argument("layout"), layoutRow);
  SmallVector<Value> carries = {none.m, none.l, none.o};
  auto fold = b.create<FoldOp>(ValueRange(carries).getTypes(), blocks, carries);
  fetch(fold);
  lead(fold);
  step(fold);
  finish({fold.getResult(0), fold.getResult(1), fold.getResult(2)});
}

/// Before any block: nothing seen, or what the parts before have seen. Parts hand each other the
/// state as it is, so that a head in parts rounds no more than one that is folded in one go.
Softmax Forward::start() {
  if (!op.getPrior())
    return nothingSeen();
  return {b.load(argument("prior_max"), {batch, head}, rows),
          b.load(argument("prior_sum"), {batch, head}, rows),
          b.load(argument("prior_out"), {batch, head}, rows, valueDim)};
}

void Forward::fetch(FoldOp fold) {
  OpBuilder::InsertionGuard guard(b);
  Block &block = enter(fold.getFetch(), b.getI32Type());
  Value ofBlock = keyRows(block.getArgument(0));
  Value keys = b.load(argument("k"), {batch, kvHead}, ofBlock, headDim);
  Value values = b.load(argument("v"), {batch, kvHead}, ofBlock, valueDim);
  b.create<YieldOp>(ValueRange{ofBlock, keys, values});
}

void Forward::lead(FoldOp fold) {
  OpBuilder::InsertionGuard guard(b);
  Block &block = enter(fold.getLead(), fold.fetchYield().getValues().getTypes());
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
  Block &block = enter(fold.getStep(), types);
  Value ofBlock = block.getArgument(0), values = block.getArgument(2),
        scores = block.getArgument(3);

  Value attend = b.create<PredicateOp>(b.tensor({blockQ, blockK}, b.getI1Type()), pattern, head,
                                       positions, b.positions(ofBlock), argument("n"),
                                       argument("nq"), /*keys_first=*/false);
  Value masked = b.create<MaskOp>(scores, attend);
  Softmax before{block.getArgument(4), block.getArgument(5), block.getArgument(6)};
  Softmax after = update(before, masked, values);
  b.create<YieldOp>(ValueRange{after.m, after.l, after.o});
}

void Forward::finish(const Softmax &softmax) {
  if (op.getPartial()) {
    b.store(softmax.o, argument("out"), {batch, head}, rows);
    b.store(softmax.m, argument("row_max"), {batch, head}, rows);
    b.store(softmax.l, argument("row_sum"), {batch, head}, rows);
    return;
  }
  Value sum = sumOf(softmax);
  b.store(outOf(softmax, sum), argument("out"), {batch, head}, rows);
  if (op.getLse())
    b.store(lseOf(softmax, sum), argument("lse"), {batch, head}, rows);
}

} // namespace

void AttentionOp::buildKernels(OpBuilder &builder) {
  Forward(*this, builder).build();
}

} // namespace sparsec::ops
