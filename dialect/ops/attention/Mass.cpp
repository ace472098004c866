// Block sums of attention weights as a tile program. An item is a live block of one batch:
//
//   x = item mod per_batch      head, block row, block column = blocks[3 x .. 3 x + 2]
//   s = scale log2(e) q k^T     p = 2^(s - lse log2(e)) where the pattern attends, else 0
//   mass[item] = sum p          squares[item] = sum p^2
//
// The one block is a fold's, so that its keys come the way those of attention do.
#include "dialect/ops/attention/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <limits>

using namespace mlir;
using namespace sparsec::tile;

namespace sparsec::ops {

LogicalResult AttentionMassOp::verify() {
  return verifyAttention(*this, {{"head_dim", getHeadDim(), 256},
                                 {"block_q", getBlockQ(), 128},
                                 {"block_k", getBlockK(), 128}});
}

namespace {

class Mass : KernelWriter {
public:
  Mass(AttentionMassOp op, OpBuilder &builder)
      : KernelWriter(op.getLoc(), builder), op(op), blockQ(op.getBlockQ()), blockK(op.getBlockK()) {
  }

  void build();

private:
  void body();
  /// Of rows that do not exist +inf, so that their p are 0; of those without keys 0.
  Value logSum(Value rows, ValueRange indices);

  AttentionMassOp op;
  int64_t blockQ, blockK;
};

void Mass::build() {
  for (StringRef name : {"q", "k"})
    addArgument(name, b.view(op.getDtype(), 3));
  addArgument("lse", b.view(b.getF32Type(), 2));
  for (StringRef name : {"mass", "squares"})
    addArgument(name, b.view(b.getF32Type(), 0));
  addArgument("blocks", NumbersType::get(b.getContext()));
  for (StringRef name : {"items", "per_batch", "n", "nq", "q0", "head_group"})
    addArgument(name, b.getI32Type());
  addArgument("scale", b.getF32Type());
  write(op.getSymName(), [&] { body(); });
}

Value Mass::logSum(Value rows, ValueRange indices) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Value lse = b.load(argument("lse"), indices, rows);
  auto type = cast<RankedTensorType>(lse.getType());
  Value none = b.equal(lse, b.constant(type, -kInfinity));
  Value given = b.select(none, b.constant(type, 0), b.multiply(lse, b.constant(type, kLog2e)));
  Value exists = b.create<arith::CmpIOp>(arith::CmpIPredicate::slt, b.positions(rows),
                                         b.splat(argument("nq"), {blockQ}));
  return b.select(exists, given, b.constant(type, kInfinity));
}

void Mass::body() {
  Value item = b.create<WorkOp>(WorkKind::Range, argument("items")).getResult(0);
  Value batch = b.create<arith::DivUIOp>(item, argument("per_batch"));
  Value place = b.create<arith::RemUIOp>(item, argument("per_batch"));
  Value first = b.create<arith::MulIOp>(place, b.i32(3));
  auto number = [&](int64_t i) -> Value {
    return b.create<NumberOp>(argument("blocks"), b.create<arith::AddIOp>(first, b.i32(i)));
  };
  Value head = number(0), column = number(2);
  Value kvHead = b.create<arith::DivUIOp>(head, argument("head_group"));
  Value rows = b.rows(OrderKind::Natural, number(1), argument("nq"), Value(), blockQ);
  Value queries = b.load(argument("q"), {batch, head}, rows, op.getHeadDim());
  Value lse = logSum(rows, {batch, head});
  Value positions = b.create<arith::AddIOp>(b.positions(rows), b.splat(argument("q0"), {blockQ}));
  Value scale = b.create<arith::MulFOp>(argument("scale"), b.constant(kLog2e));

  Value zero = b.constant(b.tensor({blockQ}, b.getF32Type()), 0);
  auto fetch = [&](Value block) -> SmallVector<Value> {
    Value ofBlock = b.rows(OrderKind::Natural, block, argument("n"), Value(), blockK);
    return {ofBlock, b.load(argument("k"), {batch, kvHead}, ofBlock, op.getHeadDim())};
  };
  auto step = [&](ValueRange fetched, ValueRange sums) -> SmallVector<Value> {
    Value dot = b.create<DotOp>(b.tensor({blockQ, blockK}, b.getF32Type()), queries, fetched[1],
                                /*acc=*/Value(), /*lhs_t=*/false, /*rhs_t=*/true);
    Value scores = b.multiply(dot, b.splat(scale, {blockQ, blockK}));
    Value attend = b.create<PredicateOp>(b.tensor({blockQ, blockK}, b.getI1Type()), op.getPattern(),
                                         head, positions, b.positions(fetched[0]), argument("n"),
                                         argument("nq"), /*keys_first=*/false);
    Value p = b.exp2(b.subtract(b.create<MaskOp>(scores, attend), lse));
    return {b.add(sums[0], b.reduceRows(ReduceKind::Sum, p)),
            b.add(sums[1], b.reduceRows(ReduceKind::Sum, b.multiply(p, p)))};
  };
  Value end = b.create<arith::AddIOp>(column, b.i32(1));
  SmallVector<Value> sums = foldRange(column, end, {zero, zero}, fetch, step);
  for (auto [name, sum] : llvm::zip(ArrayRef<StringRef>{"mass", "squares"}, sums)) {
    Value all = b.create<ReduceOp>(b.getF32Type(), ReduceKind::Sum, sum, 0);
    b.create<StoreScalarOp>(all, argument(name), item);
  }
}

} // namespace

void AttentionMassOp::buildKernels(OpBuilder &builder) {
  Mass(*this, builder).build();
}

} // namespace sparsec::ops
