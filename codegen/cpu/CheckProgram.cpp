#include "codegen/cpu/CheckProgram.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace sparsec::cpu {
namespace {

constexpr int64_t kMostColumns = 1024;

/// arith and math as emit/Elements.cpp has them.
bool isKnownArithmetic(Operation *op) {
  return isa<arith::ConstantOp, arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::DivFOp,
             arith::NegFOp, arith::MaximumFOp, arith::MaxNumFOp, arith::MinimumFOp,
             arith::MinNumFOp, arith::CmpFOp, math::FmaOp, math::Exp2Op, math::ExpOp, math::LogOp,
             math::AbsFOp, math::SqrtOp, math::RsqrtOp>(op) ||
         isa<arith::AddIOp, arith::SubIOp, arith::MulIOp, arith::DivUIOp, arith::DivSIOp,
             arith::RemUIOp, arith::RemSIOp, arith::AndIOp, arith::OrIOp, arith::XOrIOp,
             arith::ShLIOp, arith::ShRUIOp, arith::ShRSIOp, arith::MinSIOp, arith::MaxSIOp,
             arith::MinUIOp, arith::MaxUIOp, arith::CmpIOp, arith::SelectOp,
             math::CountLeadingZerosOp>(op) ||
         isa<arith::TruncFOp, arith::ExtFOp, arith::TruncIOp, arith::ExtSIOp, arith::ExtUIOp,
             arith::SIToFPOp, arith::UIToFPOp, arith::IndexCastOp>(op);
}

bool isKnownTile(Operation *op) {
  return isa<tile::ReturnOp, tile::YieldOp, tile::WorkOp, tile::RowsOp, tile::RowsByOp,
             tile::RowsAtOp, tile::PositionsOp, tile::LoadOp, tile::StoreOp, tile::AccumulateOp,
             tile::BlocksOp, tile::RangeOp, tile::FoldOp, tile::SplatOp, tile::ExpandOp,
             tile::TransposeOp, tile::ReduceOp, tile::DotOp, tile::MaskOp, tile::LookupOp,
             tile::LayoutRowOp, tile::NumberOp, tile::ScalarOp, tile::StoreScalarOp>(op);
}

LogicalResult checkTypes(Operation *op) {
  for (Type type : op->getResultTypes()) {
    auto tile = dyn_cast<RankedTensorType>(type);
    if (!tile)
      continue;
    if (tile.getEncoding())
      return op->emitOpError("expected tiles without an encoding on a CPU");
    if (tile.getRank() == 2)
      for (int64_t size : tile.getShape())
        if (size % 16 || size > kMostColumns)
          return op->emitOpError() << "a CPU takes matrices whose sides are multiples of 16 up to "
                                   << kMostColumns << ", found " << tile;
  }
  return success();
}

LogicalResult checkOp(Operation *op) {
  if (auto number = dyn_cast<arith::ConstantOp>(op))
    if (auto elements = dyn_cast<ElementsAttr>(number.getValue()); elements && !elements.isSplat())
      return op->emitOpError("a CPU takes constants with one value for all elements");
  if (auto work = dyn_cast<tile::WorkOp>(op); work && work.getKind() == tile::WorkKind::Blocks)
    return op->emitOpError("work over live blocks is not lowered to CPUs yet");
  if (auto add = dyn_cast<tile::AccumulateOp>(op)) {
    if (add.getTicket() || !isMatrix(add.getValue()))
      return op->emitOpError("a CPU adds matrices, exclusively");
  }
  auto chosen = [](tile::RowsType columns) {
    return columns && columns.getOrder() != tile::OrderKind::Natural;
  };
  auto columnsOf = [&](auto access) {
    Value columns = access ? access.getColumns() : Value();
    return columns ? cast<tile::RowsType>(columns.getType()) : tile::RowsType();
  };
  if (chosen(columnsOf(dyn_cast<tile::StoreOp>(op))) ||
      chosen(columnsOf(dyn_cast<tile::AccumulateOp>(op))))
    return op->emitOpError("a CPU stores columns in natural order");
  if (auto each = dyn_cast<scf::ForOp>(op); each && !each.getConstantStep())
    return op->emitOpError("a CPU takes loops with a constant step");
  bool known = isKnownTile(op) || isKnownArithmetic(op) || isa<scf::ForOp, scf::YieldOp>(op);
  return known ? checkTypes(op) : op->emitOpError("is not lowered to CPUs yet");
}

} // namespace

LogicalResult checkProgram(tile::KernelOp kernel) {
  return success(!kernel
                      .walk([&](Operation *op) {
                        return op == kernel || succeeded(checkOp(op)) ? WalkResult::advance()
                                                                      : WalkResult::interrupt();
                      })
                      .wasInterrupted());
}

} // namespace sparsec::cpu
