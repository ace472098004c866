// The tile program. An item is a tile of rows of one head:
//
//   items of 2 batches, 3 heads, 100 rows (2 tiles of 64)     0  1  2  3  4  5  6 ... 11
//     tile   = item mod tiles                                 0  1  0  1  0  1  0
//     head   = item / tiles mod heads                         0  0  1  1  2  2  0
//     batch  = item / tiles / heads                           0  0  0  0  0  0  1
#include "tests/ops/row_sum/RowSumOp.h"

#include "dialect/Ops.h"
#include "dialect/TileBuilder.h"
#include "tests/ops/row_sum/Request.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include "tests/ops/row_sum/RowSumDialect.h.inc"

#define GET_OP_CLASSES
#include "tests/ops/row_sum/RowSumOps.h.inc"

#include "tests/ops/row_sum/RowSumDialect.cpp.inc"

#define GET_OP_CLASSES
#include "tests/ops/row_sum/RowSumOps.cpp.inc"

using namespace mlir;
using namespace sparsec::tile;

namespace sparsec::row_sum {

constexpr int64_t kTile = RowSumRequest::kTile;

void RowSumDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "tests/ops/row_sum/RowSumOps.cpp.inc"
      >();
}

void SumOp::buildKernels(OpBuilder &builder) {
  TileBuilder b(getLoc(), builder);
  Type f32 = b.getF32Type(), i32 = b.getI32Type();
  ArrayAttr names = b.getStrArrayAttr({"x", "y", "items", "tiles", "heads", "rows", "scale"});
  SmallVector<Type> types = {b.view(f32, 3), b.view(f32, 2), i32, i32, i32, i32, f32};
  auto kernel = b.create<KernelOp>(getSymName(), names, SmallVector<bool>(types.size(), false));
  mlir::Block &block = kernel.getBody().emplaceBlock();
  block.addArguments(types, SmallVector<Location>(types.size(), getLoc()));
  b.setInsertionPointToStart(&block);
  auto argument = [&](StringRef name) { return kernel.argument(name); };

  Value item = b.create<WorkOp>(WorkKind::Range, argument("items")).getResult(0);
  Value tile = b.create<arith::RemUIOp>(item, argument("tiles"));
  Value ofBatch = b.create<arith::DivUIOp>(item, argument("tiles"));
  Value head = b.create<arith::RemUIOp>(ofBatch, argument("heads"));
  Value batch = b.create<arith::DivUIOp>(ofBatch, argument("heads"));
  Value rows = b.rows(OrderKind::Natural, tile, argument("rows"), Value(), kTile);
  Value x = b.load(argument("x"), {batch, head}, rows, getColumns());
  Value sum = b.reduceRows(ReduceKind::Sum, x);
  b.store(b.multiply(sum, b.splat(argument("scale"), {kTile})), argument("y"), {batch, head}, rows);
  b.create<ReturnOp>();
}

} // namespace sparsec::row_sum

namespace sparsec {

void registerRowSum(DialectRegistry &registry) {
  registry.insert<row_sum::RowSumDialect>();
}

void describeRowSum(OpBuilder &builder, const Request &request) {
  const auto &asked = *request.as<RowSumRequest>();
  row_sum::SumOp::create(builder, builder.getUnknownLoc(), builder.getStringAttr(asked.entry),
                         builder.getI64IntegerAttr(asked.columns));
}

} // namespace sparsec
