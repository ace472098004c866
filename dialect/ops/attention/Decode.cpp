// Attention of new queries over cached keys, as tile programs.
//
//   place = (batch * groups + group) * nq + query        item of the fold = place * slices + slice
//
//   rows of a tile   the query heads of a group: those of the entry that share a kv head
//   position         lengths[batch] - nq + query, which is the layout's row
//   a fold           slice `slice` of the row's blocks; part_*[first_slot + slice][place]
//   a merge          the slots of a place, one after the other
//
// A query before position 0 or beyond the layout does not exist: its tile has no rows.
#include "dialect/ops/attention/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace sparsec::tile;

namespace sparsec::ops {

LogicalResult AttentionDecodeOp::verify() {
  return verifySizes(*this);
}

namespace {

/// Of each group, in `groups`: its kv head, its first head among those of the launch, how many.
enum GroupNumber { kKvHead, kFirstHead, kHeads, kGroupNumbers };

class Decode : AttentionWriter {
public:
  Decode(AttentionDecodeOp op, OpBuilder &builder) : AttentionWriter(op, builder), op(op) {}

  void fold();
  void merge();

private:
  void addResults();
  void addPlaces();
  void foldBody();
  void mergeBody();
  /// Of a place.
  void findQuery(Value ofPlace);
  Value number(GroupNumber which);
  Value rowsOf(Value count); ///< the first so many heads of the group
  Softmax foldBlocks(Value queries, Value positions, Value blocks);
  void store(const Softmax &softmax, Value ofRows);

  AttentionDecodeOp op;
  Value place, batch, group, query; ///< of this work item
  Value length, position, heads;    ///< of the sequence, of the query, 0 where there is none
  Value firstHead;                  ///< of the group, in the model
  Value tableRow;
};

Value times(TileBuilder &b, Value a, Value c) {
  return b.create<arith::MulIOp>(a, c);
}

void Decode::addResults() {
  addArgument("out", b.view(dtype, 4));
  addArgument("lse", b.view(b.getF32Type(), 4), /*isOptional=*/true);
  addArgument("part_max", perRow());
  addArgument("part_sum", perRow());
  addArgument("part_out", sums());
}

void Decode::addPlaces() {
  addArgument("lengths", b.view(b.getI32Type(), 0));
  addArgument("groups", NumbersType::get(b.getContext()));
  addArgument("layout", LayoutType::get(b.getContext()));
  for (StringRef name : {"items", "group_count", "nq", "most"})
    addArgument(name, b.getI32Type());
}

Value Decode::number(GroupNumber which) {
  Value first = times(b, group, b.i32(kGroupNumbers));
  return b.create<NumberOp>(argument("groups"), b.create<arith::AddIOp>(first, b.i32(which)));
}

Value Decode::rowsOf(Value count) {
  return b.rows(OrderKind::Natural, b.i32(0), count, Value(), blockQ);
}

void Decode::findQuery(Value ofPlace) {
  place = ofPlace;
  query = b.create<arith::RemUIOp>(place, argument("nq"));
  Value sequence = b.create<arith::DivUIOp>(place, argument("nq"));
  group = b.create<arith::RemUIOp>(sequence, argument("group_count"));
  batch = b.create<arith::DivUIOp>(sequence, argument("group_count"));
  length = b.create<ScalarOp>(b.getI32Type(), argument("lengths"), batch);
  Value first = b.create<arith::SubIOp>(length, argument("nq"));
  Value asked = b.create<arith::AddIOp>(first, query);
  Value exists = b.create<arith::CmpIOp>(arith::CmpIPredicate::ult, asked, argument("most"));
  Value zero = b.i32(0);
  position = b.create<arith::SelectOp>(exists, asked, zero);
  heads = b.create<arith::SelectOp>(exists, number(kHeads), zero);
  auto ofHead = b.create<LayoutRowOp>(b.getI32Type(), b.getI32Type(), argument("layout"),
                                      number(kFirstHead), position);
  firstHead = ofHead.getHead();
  tableRow = ofHead.getTableRow();
}

/// The result of a place.
void Decode::store(const Softmax &softmax, Value ofRows) {
  Value sum = sumOf(softmax);
  b.store(outOf(softmax, sum), argument("out"), {batch, firstHead, query}, ofRows);
  b.store(lseOf(softmax, sum), argument("lse"), {batch, firstHead, query}, ofRows);
}

//===-- The fold ------------------------------------------------------------------------------===//

void Decode::fold() {
  addArgument("q", b.view(dtype, 4));
  addArgument("k", matrices());
  addArgument("v", matrices());
  addResults();
  if (keyOrder != OrderKind::Natural)
    addArgument("key_order", NumbersType::get(b.getContext()));
  addPlaces();
  for (StringRef name : {"slices", "first_slot", "whole"})
    addArgument(name, b.getI32Type());
  addArgument("scale", b.getF32Type());
  write(op.getSymName(), [&] { foldBody(); });
}

void Decode::foldBody() {
  Value item = b.create<WorkOp>(WorkKind::Range, argument("items")).getResult(0);
  Value slice = b.create<arith::RemUIOp>(item, argument("slices"));
  findQuery(b.create<arith::DivUIOp>(item, argument("slices")));
  Value queries = b.load(argument("q"), {batch, firstHead, query}, rowsOf(heads), headDim);
  Value blocks = b.create<BlocksOp>(BlockSet::All, argument("layout"), tableRow,
                                    ValueRange{slice, argument("slices")});
  Softmax softmax = foldBlocks(queries, b.splat(position, {blockQ}), blocks);

  Value whole = rowsOf(times(b, heads, argument("whole")));
  Value parted = b.create<arith::SubIOp>(b.i32(1), argument("whole"));
  Value ofPart = rowsOf(times(b, heads, parted));
  Value slot = b.create<arith::AddIOp>(argument("first_slot"), slice);
  b.store(softmax.m, argument("part_max"), {slot, place}, ofPart);
  b.store(softmax.l, argument("part_sum"), {slot, place}, ofPart);
  b.store(softmax.o, argument("part_out"), {slot, place}, ofPart);
  store(softmax, whole);
}

Softmax Decode::foldBlocks(Value queries, Value positions, Value blocks) {
  Value kvHead = number(kKvHead);
  Value perScore = b.create<arith::MulFOp>(argument("scale"), b.constant(kLog2e));
  Value scale = b.splat(perScore, {blockQ, blockK});
  Softmax none = nothingSeen();
  SmallVector<Value> carries = {none.m, none.l, none.o};
  auto fold = b.create<FoldOp>(ValueRange(carries).getTypes(), blocks, carries);
  OpBuilder::InsertionGuard guard(b);
  mlir::Block &fetch = enter(fold.getFetch(), b.getI32Type());
  Value numbers = keyOrder == OrderKind::Natural ? Value() : argument("key_order");
  Value ofBlock = b.rows(keyOrder, fetch.getArgument(0), length, numbers, blockK);
  Value keys = b.load(argument("k"), {batch, kvHead}, ofBlock, headDim);
  Value values = b.load(argument("v"), {batch, kvHead}, ofBlock, valueDim);
  b.create<YieldOp>(ValueRange{ofBlock, keys, values});

  mlir::Block &lead = enter(fold.getLead(), fold.fetchYield().getValues().getTypes());
  Value dot = b.create<DotOp>(b.tensor({blockQ, blockK}, b.getF32Type()), queries,
                              lead.getArgument(1), /*acc=*/Value(), /*lhs_t=*/false,
                              /*rhs_t=*/true);
  b.create<YieldOp>(ValueRange{b.multiply(dot, scale)});

  SmallVector<Type> types(fold.fetchYield().getValues().getTypes());
  llvm::append_range(types, fold.leadYield().getValues().getTypes());
  llvm::append_range(types, fold.getResultTypes());
  mlir::Block &step = enter(fold.getStep(), types);
  Value attend = b.create<PredicateOp>(b.tensor({blockQ, blockK}, b.getI1Type()), pattern,
                                       firstHead, positions, b.positions(step.getArgument(0)),
                                       length, argument("nq"), /*keys_first=*/false);
  Softmax after = update({step.getArgument(4), step.getArgument(5), step.getArgument(6)},
                         b.create<MaskOp>(step.getArgument(3), attend), step.getArgument(2));
  b.create<YieldOp>(ValueRange{after.m, after.l, after.o});
  return {fold.getResult(0), fold.getResult(1), fold.getResult(2)};
}

//===-- The merge -----------------------------------------------------------------------------===//

void Decode::merge() {
  addResults();
  addPlaces();
  addArgument("slots", b.getI32Type());
  write((op.getSymName() + "_merge").str(), [&] { mergeBody(); });
}

void Decode::mergeBody() {
  findQuery(b.create<WorkOp>(WorkKind::Range, argument("items")).getResult(0));
  Value rows = rowsOf(heads);
  Softmax none = nothingSeen();
  auto fetch = [&](Value slot) -> SmallVector<Value> {
    return {b.load(argument("part_max"), {slot, place}, rows),
            b.load(argument("part_sum"), {slot, place}, rows),
            b.load(argument("part_out"), {slot, place}, rows, valueDim)};
  };
  auto step = [&](ValueRange fetched, ValueRange carried) -> SmallVector<Value> {
    Softmax both = AttentionWriter::merge({carried[0], carried[1], carried[2]},
                                          {fetched[0], fetched[1], fetched[2]});
    return {both.m, both.l, both.o};
  };
  SmallVector<Value> all =
      foldRange(b.i32(0), argument("slots"), {none.m, none.l, none.o}, fetch, step);
  store({all[0], all[1], all[2]}, rows);
}

} // namespace

void AttentionDecodeOp::buildKernels(OpBuilder &builder) {
  Decode decode(*this, builder);
  decode.fold();
  if (getMerge())
    decode.merge();
}

} // namespace sparsec::ops
