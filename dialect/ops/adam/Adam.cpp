// The optimiser's step: its kernels as tile programs.
//
//   norm      a share of the rows, tile by tile, into one tile of squares; then down its columns
//   control   one work item: the shares' sums added up, and scalars from there on
//   update    a tile of rows; of none where the last control met an infinity or a NaN
#include "kernel/ops/Adam.h"
#include "dialect/Ops.h"
#include "dialect/ops/KernelWriter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <limits>

using namespace mlir;
using namespace sparsec::tile;

namespace sparsec::ops {
namespace {

constexpr int64_t kColumns = AdamRequest::kRow;
/// Of a row in row_info: how many of its elements count, and whether they decay.
constexpr int32_t kCount = 127, kDecays = 1 << 8;

class Adam : KernelWriter {
public:
  Adam(AdamOp op, OpBuilder &builder)
      : KernelWriter(op.getLoc(), builder), op(op), tileRows(op.getTileRows()),
        ofTile(b.tensor({tileRows, kColumns}, b.getF32Type())) {}

  void norm();
  void control();
  void update();

private:
  AdamOp op;
  int64_t tileRows;
  RankedTensorType ofTile;

  void addFlat(StringRef name, Type element) { addArgument(name, b.view(element, 1)); }
  void addNumbers(ArrayRef<StringRef> integers, ArrayRef<StringRef> reals) {
    for (StringRef name : integers)
      addArgument(name, b.getI32Type());
    for (StringRef name : reals)
      addArgument(name, b.getF32Type());
  }
  /// AdamState, by reals and by integers.
  void addState() {
    addArgument("reals", b.view(b.getF32Type(), 0));
    addArgument("integers", b.view(b.getI32Type(), 0));
  }
  Value get(AdamReal place) { return b.scalar(argument("reals"), int64_t(place)); }
  Value get(AdamInteger place) { return b.scalar(argument("integers"), int64_t(place)); }
  void leave(AdamReal place, Value value) {
    b.storeScalar(value, argument("reals"), int64_t(place));
  }
  void leave(AdamInteger place, Value value) {
    b.storeScalar(value, argument("integers"), int64_t(place));
  }

  Value item(StringRef count) {
    return b.create<WorkOp>(WorkKind::Range, argument(count)).getResult(0);
  }
  Value rowsOf(Value tile, Value length) {
    return b.rows(OrderKind::Natural, tile, length, Value(), tileRows);
  }
  Value loadFlat(StringRef name, Value rows) {
    return b.widen(b.load(argument(name), {}, rows, kColumns));
  }
  Value scaled(Value tile, Value by) { return b.multiply(tile, b.splat(by, ofTile.getShape())); }
  /// sum + a a, rounded once.
  Value addSquare(Value sum, Value a) { return b.create<math::FmaOp>(a, a, sum); }
  /// Tiles 0 .. count - 1, which add to one tile that begins as 0.
  Value sumOver(Value count, llvm::function_ref<Value(Value index, Value sum)> body);

  // Scalars.
  Value constant(float value) { return b.constant(value); }
  Value times(Value x, Value y) { return b.create<arith::MulFOp>(x, y); }
  Value less(Value x, Value y) { return b.create<arith::CmpFOp>(arith::CmpFPredicate::OLT, x, y); }
  Value choose(Value condition, Value x, Value y) {
    return b.create<arith::SelectOp>(condition, x, y);
  }
  Value over(Value x, Value y) { return b.create<arith::DivFOp>(x, y); }
  std::pair<Value, Value> corrections(Value step);
  std::pair<Value, Value> nextScale(Value finite);
  void normBody();
  void controlBody();
  void updateBody();
};

Value Adam::sumOver(Value count, llvm::function_ref<Value(Value, Value)> body) {
  auto loop = b.create<scf::ForOp>(b.i32(0), count, b.i32(1), ValueRange{b.constant(ofTile, 0)});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  b.create<scf::YieldOp>(body(loop.getInductionVar(), loop.getRegionIterArgs()[0]));
  return loop.getResult(0);
}

//===-- norm ----------------------------------------------------------------------------------===//

void Adam::norm() {
  addFlat("gradients", op.getGradients());
  addArgument("row_info", b.view(b.getI32Type(), 0));
  addArgument("reals", b.view(b.getF32Type(), 0));
  addFlat("parts", b.getF32Type());
  addNumbers({"items", "rows", "share"}, {});
  write((op.getSymName() + "_norm").str(), [&] { normBody(); });
}

void Adam::normBody() {
  Value share = item("items");
  Value unscale = over(constant(1), get(AdamReal::LossScale));
  Value columns = b.rows(OrderKind::Natural, b.i32(0), b.i32(kColumns), Value(), kColumns);
  Value column = b.acrossRows(b.positions(columns), tileRows);
  Value first = b.create<arith::MulIOp>(share, argument("share"));
  auto perRow = b.tensor({tileRows}, b.getI32Type());
  Value most = b.create<arith::ConstantOp>(DenseElementsAttr::get(perRow, kCount));
  Value squares = sumOver(argument("share"), [&](Value index, Value sum) {
    Value rows = rowsOf(b.create<arith::AddIOp>(first, index), argument("rows"));
    Value counts = b.create<arith::AndIOp>(b.load(argument("row_info"), {}, rows), most);
    Value count = b.create<ExpandOp>(ofTile.clone(b.getI32Type()), counts, /*dim=*/1);
    Value exists = b.create<arith::CmpIOp>(arith::CmpIPredicate::slt, column, count);
    Value g = scaled(loadFlat("gradients", rows), unscale);
    return addSquare(sum, b.select(exists, g, b.constant(ofTile, 0)));
  });
  auto perColumn = b.tensor({kColumns}, b.getF32Type());
  Value sums = b.create<ReduceOp>(perColumn, ReduceKind::Sum, squares, /*dim=*/0);
  b.store(sums, argument("parts"), {share}, columns);
}

//===-- control -------------------------------------------------------------------------------===//

void Adam::control() {
  addFlat("parts", b.getF32Type());
  addState();
  addNumbers({"items", "shares", "part_tiles", "interval"},
             {"rest1", "rest2", "most_norm", "growth", "backoff", "least_scale", "most_scale"});
  write((op.getSymName() + "_control").str(), [&] { controlBody(); });
}

/// 1 - beta^step of both betas, from the bits of step and 1 - beta, by
///   1 - x y = (1 - x) + (1 - y) x
/// which adds positive numbers: beta^step itself would leave few digits of the difference.
std::pair<Value, Value> Adam::corrections(Value step) {
  Value one = constant(1);
  auto joined = [&](Value x, Value y) -> Value { // of 1 - x and 1 - y
    return b.create<math::FmaOp>(y, b.create<arith::SubFOp>(one, x), x);
  };
  SmallVector<Value> init = {constant(0), argument("rest1"), constant(0), argument("rest2")};
  auto loop = b.create<scf::ForOp>(b.i32(0), b.i32(31), b.i32(1), init);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value bit =
      b.create<arith::AndIOp>(b.create<arith::ShRUIOp>(step, loop.getInductionVar()), b.i32(1));
  Value taken = b.create<arith::CmpIOp>(arith::CmpIPredicate::ne, bit, b.i32(0));
  SmallVector<Value> next;
  for (int i : {0, 2}) {
    Value sum = loop.getRegionIterArgs()[i], power = loop.getRegionIterArgs()[i + 1];
    next.append({choose(taken, joined(sum, power), sum), joined(power, power)});
  }
  b.create<scf::YieldOp>(next);
  return {loop.getResult(0), loop.getResult(2)};
}

/// The next loss scale, and how many steps in a row have been clean.
std::pair<Value, Value> Adam::nextScale(Value finite) {
  Value before = get(AdamInteger::Clean), scale = get(AdamReal::LossScale);
  Value clean = choose(finite, b.create<arith::AddIOp>(before, b.i32(1)), b.i32(0));
  Value never = b.create<arith::CmpIOp>(arith::CmpIPredicate::eq, argument("interval"), b.i32(0));
  Value due = b.create<arith::CmpIOp>(arith::CmpIPredicate::sge, clean, argument("interval"));
  Value grows = b.create<arith::AndIOp>(
      finite, choose(never, b.create<arith::ConstantOp>(b.getBoolAttr(false)), due));
  Value larger = times(scale, argument("growth")), smaller = times(scale, argument("backoff"));
  larger = choose(less(larger, argument("most_scale")), larger, argument("most_scale"));
  smaller = choose(less(argument("least_scale"), smaller), smaller, argument("least_scale"));
  Value same = choose(grows, larger, scale);
  return {choose(finite, same, smaller), choose(grows, b.i32(0), clean)};
}

void Adam::controlBody() {
  item("items");
  Value sums = sumOver(argument("part_tiles"), [&](Value index, Value sum) {
    Value rows = rowsOf(index, argument("shares"));
    return b.add(sum, loadFlat("parts", rows));
  });
  auto perColumn = b.tensor({kColumns}, b.getF32Type());
  Value ofColumns = b.create<ReduceOp>(perColumn, ReduceKind::Sum, sums, /*dim=*/0);
  Value total = b.create<ReduceOp>(b.getF32Type(), ReduceKind::Sum, ofColumns, /*dim=*/0);
  // False for NaN, too.
  Value infinity = constant(std::numeric_limits<float>::infinity());
  Value finite = less(total, infinity), most = argument("most_norm");
  Value norm = choose(finite, b.create<math::SqrtOp>(total), infinity);
  Value clip = choose(less(most, norm), over(most, norm), constant(1));
  Value factor = over(clip, get(AdamReal::LossScale));
  Value taken = choose(finite, b.i32(1), b.i32(0));
  Value step = b.create<arith::AddIOp>(get(AdamInteger::Step), taken);
  Value overflow = b.create<arith::SubIOp>(b.i32(1), taken);
  auto [correction1, correction2] = corrections(step);
  auto [scale, clean] = nextScale(finite);
  Value overflows = b.create<arith::AddIOp>(get(AdamInteger::Overflows), overflow);
  // All is read by now: one thread may write.
  leave(AdamInteger::Step, step);
  leave(AdamInteger::Clean, clean);
  leave(AdamInteger::Overflow, overflow);
  leave(AdamInteger::Overflows, overflows);
  leave(AdamReal::LossScale, scale);
  leave(AdamReal::Norm, norm);
  leave(AdamReal::Clip, clip);
  leave(AdamReal::Factor, factor);
  leave(AdamReal::Correction1, correction1);
  leave(AdamReal::Correction2, correction2);
}

//===-- update --------------------------------------------------------------------------------===//

void Adam::update() {
  addFlat("weights", b.getF32Type());
  addFlat("gradients", op.getGradients());
  addFlat("m", b.getF32Type());
  addFlat("v", b.getF32Type());
  if (op.getCopy())
    addFlat("copy", *op.getCopy());
  addArgument("row_info", b.view(b.getI32Type(), 0));
  addState();
  addNumbers({"items", "rows"}, {"rest1", "beta2", "rest2", "epsilon", "decay"});
  write((op.getSymName() + "_update").str(), [&] { updateBody(); });
}

void Adam::updateBody() {
  Value tile = item("items");
  Value overflow =
      b.create<arith::CmpIOp>(arith::CmpIPredicate::ne, get(AdamInteger::Overflow), b.i32(0));
  // Rows that do not exist are not written.
  Value rows = rowsOf(tile, choose(overflow, b.i32(0), argument("rows")));
  Value rate = get(AdamReal::Rate);
  auto perRow = b.tensor({tileRows}, b.getI32Type());
  Value bit = b.create<arith::ConstantOp>(DenseElementsAttr::get(perRow, kDecays));
  Value none = b.create<arith::ConstantOp>(DenseElementsAttr::get(perRow, int32_t(0)));
  Value decays = b.create<arith::CmpIOp>(
      arith::CmpIPredicate::ne,
      b.create<arith::AndIOp>(b.load(argument("row_info"), {}, rows), bit), none);
  Value loss = b.select(decays, b.splat(times(rate, argument("decay")), {tileRows}),
                        b.constant(perRow.clone(b.getF32Type()), 0));

  Value w = loadFlat("weights", rows), m = loadFlat("m", rows), v = loadFlat("v", rows);
  Value g = scaled(loadFlat("gradients", rows), get(AdamReal::Factor));
  auto everywhere = [&](Value scalar) { return b.splat(scalar, ofTile.getShape()); };
  m = b.create<math::FmaOp>(everywhere(argument("rest1")), b.subtract(g, m), m);
  v = b.create<math::FmaOp>(everywhere(argument("beta2")), v,
                            scaled(b.multiply(g, g), argument("rest2")));
  // sqrt(v / correction2) = sqrt(v) / sqrt(correction2): a division less an element.
  Value root = over(constant(1), b.create<math::SqrtOp>(get(AdamReal::Correction2)));
  Value size = b.create<math::FmaOp>(b.create<math::SqrtOp>(v), everywhere(root),
                                     everywhere(argument("epsilon")));
  Value by = over(rate, get(AdamReal::Correction1));
  w = b.subtract(w, b.multiply(w, loss));
  w = b.subtract(w, b.create<arith::DivFOp>(scaled(m, by), size));
  b.store(w, argument("weights"), {}, rows);
  b.store(m, argument("m"), {}, rows);
  b.store(v, argument("v"), {}, rows);
  if (op.getCopy())
    b.store(b.convert(w, *op.getCopy()), argument("copy"), {}, rows);
}

} // namespace

void AdamOp::buildKernels(OpBuilder &builder) {
  Adam adam(*this, builder);
  adam.norm();
  adam.control();
  adam.update();
}

void describe(OpBuilder &builder, const AdamRequest &request) {
  MLIRContext *context = builder.getContext();
  TypeAttr copy;
  if (request.copy)
    copy = TypeAttr::get(elementType(context, *request.copy));
  AdamOp::create(builder, builder.getUnknownLoc(), builder.getStringAttr(request.entry),
                 TypeAttr::get(elementType(context, request.gradients)), copy,
                 builder.getI64IntegerAttr(request.tileRows()));
}

} // namespace sparsec::ops
