// warp-to-llvm, block lists: which item or row of blocks a thread block works on, and the columns
// of its live blocks, from tables or from the row's closed form (layout/ClosedForm.h).
#include "codegen/ptx/Lowering.h"

#include "codegen/common/FormRow.h"
#include "codegen/common/WorkRow.h"

using namespace mlir;

namespace sparsec {
namespace {

constexpr int kRuns = RowBlocks::kRuns, kRunBytes = 4 * ClosedForm::kRun;

/// Kernels without registers to spare are compiled for tables alone.
bool tablesOnly(Operation *op) {
  return op->getParentOfType<ModuleOp>()->hasAttr(tile::kTablesOnlyAttr);
}

/// The tables are never written while a kernel runs.
Value loadTable(ThreadEmitter &emit, Value table, Value index) {
  return emit.number(emit.advance(table, emit.multiply(emit.wide(index), 4)), 0);
}

struct WorkPattern : OpConversionPattern<tile::WorkOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::WorkOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    if (op.getKind() == tile::WorkKind::Blocks)
      return rewriter.notifyMatchFailure(op, "work over live blocks is not lowered to warps yet");
    ThreadEmitter emit(op, rewriter);
    Value x = nvvm::blockIndex(emit, nvvm::Axis::X);
    if (op.getKind() == tile::WorkKind::Range) { // the launch has as many thread blocks
      rewriter.replaceOp(op, x);
      return success();
    }
    Value y = nvvm::blockIndex(emit, nvvm::Axis::Y);
    Value batch = nvvm::blockIndex(emit, nvvm::Axis::Z);
    auto field = [&](LayoutField which) { return emit.field(adaptor.getItems(), which); };
    bool groups = op.getKind() == tile::WorkKind::Groups;
    WorkRow work(emit, field, groups ? emit.i32(0) : y); // groups share the first head's order
    // Without an order of their own the longest rows first: of queries the last ones, since causal
    // rows grow, of keys, which groups have, the first ones.
    auto longestFirst = [&]() -> SmallVector<Value> {
      return {groups ? x : emit.subtract(emit.add(nvvm::gridSize(emit), -1), x)};
    };
    auto inOrder = [&]() -> SmallVector<Value> { return {work.inOrder(x)}; };
    Value row = emit.choose(emit.isNull(work.order()), longestFirst, inOrder)[0];
    if (groups) {
      rewriter.replaceOp(op, {batch, y, row});
      return success();
    }
    rewriter.replaceOp(op, {batch, work.head(field), row, work.tableRow(row)});
    return success();
  }
};

struct LayoutRowPattern : OpConversionPattern<tile::LayoutRowOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::LayoutRowOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
    auto field = [&](LayoutField which) { return emit.field(adaptor.getLayout(), which); };
    WorkRow work(emit, field, adaptor.getPlace());
    rewriter.replaceOp(op, {work.head(field), work.tableRow(adaptor.getRow())});
    return success();
  }
};

struct NumberPattern : OpConversionPattern<tile::NumberOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::NumberOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
    rewriter.replaceOp(op, loadTable(emit, adaptor.getNumbers(), adaptor.getIndex()));
    return success();
  }
};

/// A list is: columns; the row's runs (null: there are columns instead); the first of each run, and
/// where each but the last ends. The steps are left in memory: registers are few in the loop.
struct BlockRowPattern : OpConversionPattern<warp::BlockRowOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(warp::BlockRowOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
    Value layout = adaptor.getLayout(), forms = emit.field(layout, kRowForms);
    auto table = [&] { return fromTables(emit, layout, adaptor.getRow()); };
    auto form = [&] {
      Value place = adaptor.getPlace();
      return fromForms(emit, layout, forms, place ? place : nvvm::blockIndex(emit, nvvm::Axis::Y),
                       adaptor.getRow());
    };
    SmallVector<Value> values =
        tablesOnly(op) ? table() : emit.choose(emit.isNull(forms), table, form);
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

  static SmallVector<Value> fromForms(ThreadEmitter &emit, Value layout, Value forms, Value place,
                                      Value row) {
    auto field = [&](LayoutField which) { return emit.field(layout, which); };
    FormRow form = formRow(emit, field, forms, place, row);
    SmallVector<Value> firsts, ends;
    Value end = emit.i32(0);
    for (int i = 0; i < kRuns; ++i) {
      auto run = form.run(emit.advance(form.runs(), kRunBytes * i), end);
      firsts.push_back(run.first);
      ends.push_back(end = run.end);
    }
    SmallVector<Value> values = {form.runs(), emit.i32(0), ends[RowBlocks::kPartial - 1],
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
      auto endOf = [&](int run) { return field(kRuns + run); };
      auto [first, offset] = ofRunAt(emit, index, endOf, [&](int run) {
        return std::array<Value, 2>{field(run), emit.i64(kRunBytes * run)};
      });
      Value numbers = emit.advance(emit.field(list, 1), offset);
      Value step = emit.number(numbers, ClosedForm::kStep, /*invariant=*/false);
      return {emit.add(first, emit.multiply(index, step))};
    };
    if (tablesOnly(op))
      rewriter.replaceOp(op, fromTable());
    else
      rewriter.replaceOp(op, emit.choose(emit.isNull(emit.field(list, 1)), fromTable, fromForm));
    return success();
  }
};

} // namespace

void populateBlockPatterns(RewritePatternSet &patterns, const ThreadTypes &types) {
  patterns.add<WorkPattern, LayoutRowPattern, NumberPattern, BlockRowPattern, BlockColumnPattern>(
      types, patterns.getContext());
}

} // namespace sparsec
