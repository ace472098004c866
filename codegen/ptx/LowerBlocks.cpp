// warp-to-llvm, block lists: which row of blocks a thread block works on, and the columns of its
// live blocks, from tables or from the row's closed form (layout/ClosedForm.h).
#include "codegen/ptx/Lowering.h"

#include "layout/ClosedForm.h"

using namespace mlir;

namespace sparsec {
namespace {

constexpr int kRuns = RowBlocks::kRuns;

/// Kernels without registers to spare are compiled for tables alone.
bool tablesOnly(Operation *op) {
  return op->getParentOfType<ModuleOp>()->hasAttr(warp::kTablesOnlyAttr);
}

/// The tables are never written while a kernel runs.
Value loadTable(ThreadEmitter &emit, Value table, Value index) {
  return emit.number(emit.advance(table, emit.multiply(emit.wide(index), 4)), 0);
}

/// A value of two ways to it.
template <class Then, class Else>
SmallVector<Value> either(ThreadEmitter &emit, Value condition, TypeRange types, Then &&then,
                          Else &&otherwise) {
  auto branch = emit.create<scf::IfOp>(types, condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(emit);
  emit.setInsertionPointToStart(branch.thenBlock());
  emit.create<scf::YieldOp>(SmallVector<Value>(then()));
  emit.setInsertionPointToStart(branch.elseBlock());
  emit.create<scf::YieldOp>(SmallVector<Value>(otherwise()));
  return SmallVector<Value>(branch.getResults());
}

struct WorkPattern : OpConversionPattern<tile::WorkOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::WorkOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    if (op.getKind() != tile::WorkKind::Rows)
      return rewriter.notifyMatchFailure(op, "only rows of a layout are lowered yet");
    ThreadEmitter emit(op, rewriter);
    Type i32 = emit.getI32Type();
    Value layout = adaptor.getItems();
    Value x = nvvm::blockIndex(emit, nvvm::Axis::X);
    Value y = nvvm::blockIndex(emit, nvvm::Axis::Y);
    Value batch = nvvm::blockIndex(emit, nvvm::Axis::Z);
    Value firstRow = emit.multiply(y, emit.field(layout, kLayoutStride));
    Value rowOrder = emit.field(layout, kRowOrder);
    // Without an order of their own, the last rows first: causal rows grow.
    Value row = either(
        emit, emit.isNull(rowOrder), {i32},
        [&]() -> SmallVector<Value> {
          Value rows = nvvm::gridSize(emit);
          return {emit.subtract(emit.add(rows, -1), x)};
        },
        [&]() -> SmallVector<Value> {
          return {loadTable(emit, rowOrder, emit.add(firstRow, x))};
        })[0];
    Value head =
        emit.add(emit.field(layout, kHeadFirst), emit.multiply(y, emit.field(layout, kHeadStep)));
    rewriter.replaceOp(op, {batch, head, row, emit.add(firstRow, row)});
    return success();
  }
};

/// The runs of one row, from the numbers of its head's closed form.
class FormRow {
public:
  FormRow(ThreadEmitter &emit, Value forms, Value row) : emit(emit) {
    auto number = [&](int index) { return emit.number(forms, index); };
    Value lead = number(ClosedForm::kLead), tail = number(ClosedForm::kTailStart);
    auto [u, phase] = emit.divideBy(row, forms, ClosedForm::kPhases);
    std::tie(t, m) = emit.divideBy(u, forms, ClosedForm::kBoxTiles);
    // The lead rows' phases come first, then the repeating ones, then those of the tail.
    Value isLead = less(row, lead);
    phase = emit.select(isLead, row, emit.add(lead, phase));
    Value afterAll =
        emit.add(emit.add(lead, number(ClosedForm::kPhases)), emit.subtract(row, tail));
    phase = emit.select(less(row, tail), phase, emit.select(isLead, row, afterAll));
    Value bytes = emit.wide(emit.multiply(phase, 4 * ClosedForm::kPhase));
    runs = emit.advance(emit.advance(forms, 4 * ClosedForm::kHead), bytes);
  }

  /// First column less what lies before the run in the list, and where the run ends in it.
  struct Run {
    Value first, end;
  };
  Value address() const { return runs; }
  Run run(int index, Value before) {
    auto number = [&](int i) { return emit.number(runs, ClosedForm::kRun * index + i); };
    auto bound = [&](int at) {
      Value value = emit.add(
          number(at), emit.add(emit.multiply(number(at + 1), t), emit.multiply(number(at + 2), m)));
      return emit.least(emit.most(value, number(6)), number(7));
    };
    Value begin = bound(0), step = number(9);
    Value count = emit.most(emit.subtract(bound(3), begin), emit.i32(0));
    Value first = emit.add(number(8), emit.multiply(emit.subtract(begin, before), step));
    return {first, emit.add(before, count)};
  }

private:
  ThreadEmitter &emit;
  Value t, m, runs;

  Value less(Value a, Value b) { return emit.create<LLVM::ICmpOp>(LLVM::ICmpPredicate::slt, a, b); }
};

/// A list is: columns; the row's runs (null: there are columns instead); the first of each run, and
/// where each but the last ends. The steps are left in memory: registers are few in the loop.
struct BlockRowPattern : OpConversionPattern<warp::BlockRowOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(warp::BlockRowOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
    Value layout = adaptor.getLayout(), forms = emit.field(layout, kRowForms);
    SmallVector<Type> types = {forms.getType()};
    types.append(3 + 2 * kRuns - 1, emit.getI32Type());
    auto table = [&] { return fromTables(emit, layout, adaptor.getRow()); };
    auto form = [&] { return fromForms(emit, layout, forms, adaptor.getRow()); };
    SmallVector<Value> values =
        tablesOnly(op) ? table() : either(emit, emit.isNull(forms), types, table, form);
    auto listType = getTypeConverter()->convertType(op.getList().getType());
    Value list = emit.create<LLVM::PoisonOp>(listType);
    SmallVector<Value> fields = {emit.field(layout, kColumns), values[0]};
    fields.append(values.begin() + 4, values.end());
    for (auto [i, field] : llvm::enumerate(fields))
      list = emit.create<LLVM::InsertValueOp>(list, field, ArrayRef<int64_t>{int64_t(i)});
    rewriter.replaceOp(op, {list, values[1], values[2], values[3]});
    return success();
  }

  static SmallVector<Value> fromTables(ThreadEmitter &emit, Value layout, Value row) {
    // 2 * row in 64 bits.
    Value start = emit.advance(emit.field(layout, kOffsets), emit.multiply(emit.wide(row), 8));
    SmallVector<Value> values = {emit.create<LLVM::ZeroOp>(start.getType())};
    for (int i = 0; i < 3; ++i)
      values.push_back(emit.number(start, i));
    values.append(2 * kRuns - 1, emit.i32(0));
    return values;
  }

  static SmallVector<Value> fromForms(ThreadEmitter &emit, Value layout, Value forms, Value row) {
    Value y = nvvm::blockIndex(emit, nvvm::Axis::Y);
    Value head = emit.wide(emit.multiply(y, emit.field(layout, kFormStride)));
    forms = emit.advance(forms, emit.multiply(head, 4));
    row = emit.subtract(row, emit.multiply(y, emit.field(layout, kLayoutStride)));
    FormRow form(emit, forms, row);
    SmallVector<Value> firsts, ends;
    Value end = emit.i32(0);
    for (int i = 0; i < kRuns; ++i) {
      FormRow::Run run = form.run(i, end);
      firsts.push_back(run.first);
      ends.push_back(end = run.end);
    }
    SmallVector<Value> values = {form.address(), emit.i32(0), ends[RowBlocks::kPartial - 1],
                                 ends.back()};
    values.append(firsts);
    values.append(ends.begin(), ends.end() - 1);
    return values;
  }
};

struct BlockColumnPattern : OpConversionPattern<warp::BlockColumnOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(warp::BlockColumnOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
    Value list = adaptor.getList(), index = adaptor.getIndex();
    auto fromTable = [&]() -> SmallVector<Value> {
      return {loadTable(emit, emit.field(list, 0), index)};
    };
    auto fromForm = [&]() -> SmallVector<Value> {
      auto field = [&](int i) { return emit.field(list, 2 + i); };
      constexpr int kRunBytes = 4 * ClosedForm::kRun;
      Value first = field(kRuns - 1), offset = emit.i64(kRunBytes * (kRuns - 1));
      for (int run = kRuns - 1; run-- > 0;) {
        Value inside =
            emit.create<LLVM::ICmpOp>(LLVM::ICmpPredicate::slt, index, field(kRuns + run));
        first = emit.select(inside, field(run), first);
        offset = emit.select(inside, emit.i64(kRunBytes * run), offset);
      }
      Value step = emit.number(emit.advance(emit.field(list, 1), offset), 9, /*invariant=*/false);
      return {emit.add(first, emit.multiply(index, step))};
    };
    if (tablesOnly(op))
      rewriter.replaceOp(op, fromTable());
    else
      rewriter.replaceOp(op, either(emit, emit.isNull(emit.field(list, 1)), {emit.getI32Type()},
                                    fromTable, fromForm));
    return success();
  }
};

} // namespace

void populateBlockPatterns(RewritePatternSet &patterns, const ThreadTypes &types) {
  patterns.add<WorkPattern, BlockRowPattern, BlockColumnPattern>(types, patterns.getContext());
}

} // namespace sparsec
