// Attention backward: its kernels as tile programs.
//
//   s = scale log2(e) q k^T     p = 2^(s - lse log2(e)) where the pattern attends, else 0
//   dp = dout v^T               ds = p (dp - delta)         delta = rowsum(dout * out) - dlse
//   dq = scale ds k             dk = scale ds^T q           dv = p^T dout
//
// dq folds the blocks of a row of queries. dk and dv fold those of a row of keys, with everything
// transposed, so that no product needs its left operand turned; the heads that share the keys are
// folded one after the other into the same sums.
#include "dialect/ops/attention/Kernels.h"
#include "kernel/ops/KeyGroups.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <limits>

using namespace mlir;
using namespace sparsec::tile;

namespace sparsec::ops {

LogicalResult AttentionBackwardOp::verify() {
  if (getOverKeys() && (getPrior() || getPartial()))
    return emitOpError("dk and dv are told where their sums meet when they are launched");
  return verifySizes(*this);
}

namespace {

class Backward : AttentionWriter {
public:
  Backward(AttentionBackwardOp op, OpBuilder &builder) : AttentionWriter(op, builder), op(op) {}

  void delta();
  void queries();
  void keys();

private:
  void deltaBody();
  void queriesBody();
  void keysBody();
  /// The sums of one head of a group: dk and dv go on from `sums`.
  SmallVector<Value> foldHead(Value headIndex, ValueRange sums);
  Value scores(Value lhs, Value rhs, int64_t rows, int64_t columns); ///< lhs rhs^T
  /// lse in units of ln 2; 0 in rows without keys, whose scores are all -inf.
  Value logSum(Value lse);

  AttentionBackwardOp op;
  // Of this work item.
  Value batch, head, kvHead, blockRow, rows, scale2;
  Value queryTile, doutTile, lse, deltas, positions; ///< dq
  Value keyTile, valueTile;                          ///< dk and dv
};

Value Backward::logSum(Value lse) {
  auto type = cast<RankedTensorType>(lse.getType());
  Value none = b.equal(lse, b.constant(type, -std::numeric_limits<float>::infinity()));
  return b.select(none, b.constant(type, 0), b.multiply(lse, b.constant(type, kLog2e)));
}

Value Backward::scores(Value lhs, Value rhs, int64_t rows, int64_t columns) {
  return b.create<DotOp>(b.tensor({rows, columns}, b.getF32Type()), lhs, rhs, /*acc=*/Value(),
                         /*lhs_t=*/false, /*rhs_t=*/true);
}

//===-- delta ---------------------------------------------------------------------------------===//

void Backward::delta() {
  addArgument("out", matrices());
  addArgument("dout", matrices());
  addArgument("dlse", perRow(), /*isOptional=*/true);
  addArgument("delta", perRow());
  addAxes();
  addArgument("dlse_rows", b.getI32Type()); // nq, or 0 where there is no dlse
  write((op.getSymName() + "_delta").str(), [&] { deltaBody(); });
}

void Backward::deltaBody() {
  auto work = b.create<WorkOp>(WorkKind::Rows, argument("layout"));
  batch = work.getResult(0), head = work.getResult(1);
  rows = queryRows(work.getResult(2));
  Value out = b.load(argument("out"), {batch, head}, rows, valueDim);
  Value dout = b.load(argument("dout"), {batch, head}, rows, valueDim);
  Value sum = b.reduceRows(ReduceKind::Sum, b.multiply(b.widen(out), b.widen(dout)));
  Value numbers = queryOrder == OrderKind::Natural ? Value() : argument("query_order");
  Value given = b.rows(queryOrder, work.getResult(2), argument("dlse_rows"), numbers, blockQ);
  Value ofLse = b.load(argument("dlse"), {batch, head}, given); // rows that do not exist are 0
  b.store(b.subtract(sum, ofLse), argument("delta"), {batch, head}, rows);
}

//===-- dq ------------------------------------------------------------------------------------===//

void Backward::queries() {
  for (StringRef name : {"q", "k", "v", "dout"})
    addArgument(name, matrices());
  addArgument("lse", perRow());
  addArgument("delta", perRow());
  if (!op.getPartial())
    addArgument("dq", matrices());
  if (op.getPrior() || op.getPartial())
    addArgument("dq_sums", sums()); // where the parts of a head meet
  addAxes();
  addArgument("head_group", b.getI32Type());
  addArgument("scale", b.getF32Type());
  write((op.getSymName() + "_dq").str(), [&] { queriesBody(); });
}

void Backward::queriesBody() {
  auto work = b.create<WorkOp>(WorkKind::Rows, argument("layout"));
  batch = work.getResult(0), head = work.getResult(1);
  kvHead = b.create<arith::DivUIOp>(head, argument("head_group"));
  rows = queryRows(work.getResult(2));
  queryTile = b.load(argument("q"), {batch, head}, rows, headDim);
  doutTile = b.load(argument("dout"), {batch, head}, rows, valueDim);
  lse = logSum(b.load(argument("lse"), {batch, head}, rows));
  deltas = b.load(argument("delta"), {batch, head}, rows);
  positions = queryPositions(rows);
  scale2 = b.create<arith::MulFOp>(argument("scale"), b.constant(kLog2e));

  RankedTensorType sum = b.tensor({blockQ, headDim}, b.getF32Type());
  Value blocks = b.create<BlocksOp>(BlockSet::All, argument("layout"), work.getResult(3));
  Value start = op.getPrior() ? b.load(argument("dq_sums"), {batch, head}, rows, headDim)
                              : b.constant(sum, 0);
  auto fold = b.create<FoldOp>(TypeRange{sum}, blocks, ValueRange{start});
  {
    OpBuilder::InsertionGuard guard(b);
    Block &fetch = enter(fold.getFetch(), b.getI32Type());
    Value ofBlock = keyRows(fetch.getArgument(0));
    Value keys = b.load(argument("k"), {batch, kvHead}, ofBlock, headDim);
    Value values = b.load(argument("v"), {batch, kvHead}, ofBlock, valueDim);
    b.create<YieldOp>(ValueRange{ofBlock, keys, values});

    Block &lead = enter(fold.getLead(), fold.fetchYield().getValues().getTypes());
    Value s = scores(queryTile, lead.getArgument(1), blockQ, blockK);
    Value dp = scores(doutTile, lead.getArgument(2), blockQ, blockK);
    b.create<YieldOp>(ValueRange{b.multiply(s, b.splat(scale2, {blockQ, blockK})), dp});

    SmallVector<Type> types(fold.fetchYield().getValues().getTypes());
    llvm::append_range(types, fold.leadYield().getValues().getTypes());
    types.push_back(sum);
    Block &step = enter(fold.getStep(), types);
    Value attend = b.create<PredicateOp>(b.tensor({blockQ, blockK}, b.getI1Type()), pattern, head,
                                         positions, b.positions(step.getArgument(0)), argument("n"),
                                         argument("nq"), /*keys_first=*/false);
    Value masked = b.create<MaskOp>(step.getArgument(3), attend);
    Value p = b.exp2(b.subtract(masked, lse));
    Value ds = b.multiply(p, b.subtract(step.getArgument(4), deltas));
    Value next = b.create<DotOp>(sum, b.convert(ds, dtype), step.getArgument(1),
                                 step.getArgument(5), /*lhs_t=*/false, /*rhs_t=*/false);
    b.create<YieldOp>(ValueRange{next});
  }
  if (op.getPartial()) {
    b.store(fold.getResult(0), argument("dq_sums"), {batch, head}, rows);
    return;
  }
  Value dq = b.multiply(fold.getResult(0), b.splat(argument("scale"), {blockQ, headDim}));
  b.store(b.convert(dq, dtype), argument("dq"), {batch, head}, rows);
}

//===-- dk and dv -----------------------------------------------------------------------------===//

/// Of each group, in `groups`: the fields of a KeyGroup.
enum GroupNumber { kKvHead, kFirstHead, kHeads, kRole, kGroupNumbers };

void Backward::keys() {
  for (StringRef name : {"q", "k", "v", "dout"})
    addArgument(name, matrices());
  addArgument("lse", perRow());
  addArgument("delta", perRow());
  addArgument("dk", matrices());
  addArgument("dv", matrices());
  addArgument("dk_sums", sums()); // of kv heads that several launches give to
  addArgument("dv_sums", sums());
  addArgument("groups", NumbersType::get(b.getContext()));
  addAxes();
  addArgument("scale", b.getF32Type());
  write(op.getSymName(), [&] { keysBody(); });
}

void Backward::keysBody() {
  auto work = b.create<WorkOp>(WorkKind::Groups, argument("layout"));
  batch = work.getResult(0), blockRow = work.getResult(2);
  auto i32 = [&](int64_t value) -> Value {
    return b.create<arith::ConstantOp>(b.getI32IntegerAttr(int32_t(value)));
  };
  Value base = b.create<arith::MulIOp>(work.getResult(1), i32(kGroupNumbers));
  auto number = [&](GroupNumber which) -> Value {
    return b.create<NumberOp>(argument("groups"), b.create<arith::AddIOp>(base, i32(which)));
  };
  kvHead = number(kKvHead);
  rows = keyRows(blockRow);
  keyTile = b.load(argument("k"), {batch, kvHead}, rows, headDim);
  valueTile = b.load(argument("v"), {batch, kvHead}, rows, valueDim);
  scale2 = b.create<arith::MulFOp>(argument("scale"), b.constant(kLog2e));

  // Rows that do not exist are read as 0 and not written: so a length says whether sums go on from
  // memory, and where they end.
  Value role = number(kRole), n = argument("n"), zero = i32(0);
  auto rowsIf = [&](int64_t bit, bool set) {
    Value is = b.create<arith::CmpIOp>(set ? arith::CmpIPredicate::ne : arith::CmpIPredicate::eq,
                                       b.create<arith::AndIOp>(role, i32(bit)), zero);
    Value length = b.create<arith::SelectOp>(is, n, zero);
    Value numbers = keyOrder == OrderKind::Natural ? Value() : argument("key_order");
    return b.rows(keyOrder, blockRow, length, numbers, blockK);
  };
  Value before = rowsIf(KeyGroup::kGoesOn, true);
  SmallVector<Value> start = {b.load(argument("dk_sums"), {batch, kvHead}, before, headDim),
                              b.load(argument("dv_sums"), {batch, kvHead}, before, valueDim)};
  Value first = number(kFirstHead);
  auto heads = b.create<scf::ForOp>(zero, number(kHeads), i32(1), start);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(heads.getBody());
    Value index = b.create<arith::AddIOp>(first, heads.getInductionVar());
    b.create<scf::YieldOp>(foldHead(index, heads.getRegionIterArgs()));
  }
  Value dk = heads.getResult(0), dv = heads.getResult(1);
  Value kept = rowsIf(KeyGroup::kStays, true), done = rowsIf(KeyGroup::kStays, false);
  b.store(dk, argument("dk_sums"), {batch, kvHead}, kept);
  b.store(dv, argument("dv_sums"), {batch, kvHead}, kept);
  Value scaled = b.multiply(dk, b.splat(argument("scale"), {blockK, headDim}));
  b.store(b.convert(scaled, dtype), argument("dk"), {batch, kvHead}, done);
  b.store(b.convert(dv, dtype), argument("dv"), {batch, kvHead}, done);
}

SmallVector<Value> Backward::foldHead(Value headIndex, ValueRange sums) {
  Type i32 = b.getI32Type();
  auto ofHead = b.create<LayoutRowOp>(i32, i32, argument("layout"), headIndex, blockRow);
  head = ofHead.getHead();
  Value blocks = b.create<BlocksOp>(BlockSet::All, argument("layout"), ofHead.getTableRow());
  auto fold = b.create<FoldOp>(sums.getTypes(), blocks, sums);
  OpBuilder::InsertionGuard guard(b);
  Block &fetch = enter(fold.getFetch(), b.getI32Type());
  Value ofBlock = queryRows(fetch.getArgument(0));
  Value queries = b.load(argument("q"), {batch, head}, ofBlock, headDim);
  Value dout = b.load(argument("dout"), {batch, head}, ofBlock, valueDim);
  Value ofLse = b.load(argument("lse"), {batch, head}, ofBlock);
  Value ofDelta = b.load(argument("delta"), {batch, head}, ofBlock);
  b.create<YieldOp>(ValueRange{ofBlock, queries, dout, ofLse, ofDelta});

  Block &lead = enter(fold.getLead(), fold.fetchYield().getValues().getTypes());
  Value s = scores(keyTile, lead.getArgument(1), blockK, blockQ);
  Value dp = scores(valueTile, lead.getArgument(2), blockK, blockQ);
  b.create<YieldOp>(ValueRange{b.multiply(s, b.splat(scale2, {blockK, blockQ})), dp});

  SmallVector<Type> types(fold.fetchYield().getValues().getTypes());
  llvm::append_range(types, fold.leadYield().getValues().getTypes());
  llvm::append_range(types, sums.getTypes());
  Block &step = enter(fold.getStep(), types);
  Value attend = b.create<PredicateOp>(b.tensor({blockK, blockQ}, b.getI1Type()), pattern, head,
                                       queryPositions(step.getArgument(0)), b.positions(rows),
                                       argument("n"), argument("nq"), /*keys_first=*/true);
  Value masked = b.create<MaskOp>(step.getArgument(5), attend);
  Value p = b.exp2(b.subtract(masked, b.acrossRows(logSum(step.getArgument(3)), blockK)));
  Value ds =
      b.multiply(p, b.subtract(step.getArgument(6), b.acrossRows(step.getArgument(4), blockK)));
  Value dv = b.create<DotOp>(sums[1].getType(), b.convert(p, dtype), step.getArgument(2),
                             step.getArgument(8), /*lhs_t=*/false, /*rhs_t=*/false);
  Value dk = b.create<DotOp>(sums[0].getType(), b.convert(ds, dtype), step.getArgument(1),
                             step.getArgument(7), /*lhs_t=*/false, /*rhs_t=*/false);
  b.create<YieldOp>(ValueRange{dk, dv});
  return SmallVector<Value>(fold.getResults());
}

} // namespace

void AttentionBackwardOp::buildKernels(OpBuilder &builder) {
  Backward backward(*this, builder);
  if (getOverKeys()) {
    backward.keys();
    return;
  }
  if (!getPrior())
    backward.delta();
  backward.queries();
}

} // namespace sparsec::ops
