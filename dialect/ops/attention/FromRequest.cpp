// Requests for attention (kernel/ops/) as ops.
#include "dialect/Ops.h"
#include "dialect/Orders.h"
#include "dialect/TileBuilder.h"
#include "kernel/ops/Attention.h"
#include "kernel/ops/AttentionBackward.h"
#include "kernel/ops/AttentionDecode.h"
#include "kernel/ops/AttentionMass.h"

using namespace mlir;
using namespace sparsec::tile;

namespace sparsec::ops {

/// Null for natural order.
static OrderAttr orderAttribute(MLIRContext *context, const OrderSpec &order) {
  OrderKind kind = sparsec::kindOf(shapeOf(order));
  return kind == OrderKind::Natural ? OrderAttr() : OrderAttr::get(context, kind);
}

static UnitAttr unitUnless(OpBuilder &builder, bool is) {
  return is ? UnitAttr() : builder.getUnitAttr();
}

void describe(OpBuilder &builder, const AttentionRequest &request) {
  MLIRContext *context = builder.getContext();
  AttentionOp::create(
      builder, builder.getUnknownLoc(), builder.getStringAttr(request.entry),
      PatternAttr::get(context, sparsec::print(request.attend)),
      TypeAttr::get(elementType(context, request.dtype)),
      builder.getI64IntegerAttr(request.headDim), builder.getI64IntegerAttr(request.valueDim),
      builder.getI64IntegerAttr(request.block.q), builder.getI64IntegerAttr(request.block.k),
      orderAttribute(context, request.queryOrder), orderAttribute(context, request.keyOrder),
      builder.getUnitAttr(), unitUnless(builder, request.part.first),
      unitUnless(builder, request.part.last));
}

void describe(OpBuilder &builder, const AttentionBackwardRequest &request) {
  MLIRContext *context = builder.getContext();
  bool keys = request.pass == AttentionBackwardRequest::Pass::Keys;
  AttentionBackwardOp::create(
      builder, builder.getUnknownLoc(), builder.getStringAttr(request.entry),
      keys ? builder.getUnitAttr() : UnitAttr(),
      PatternAttr::get(context, sparsec::print(request.attend)),
      TypeAttr::get(elementType(context, request.dtype)),
      builder.getI64IntegerAttr(request.headDim), builder.getI64IntegerAttr(request.valueDim),
      builder.getI64IntegerAttr(request.block.q), builder.getI64IntegerAttr(request.block.k),
      orderAttribute(context, request.queryOrder), orderAttribute(context, request.keyOrder),
      unitUnless(builder, request.part.first), unitUnless(builder, request.part.last));
}

void describe(OpBuilder &builder, const AttentionDecodeRequest &request) {
  MLIRContext *context = builder.getContext();
  AttentionDecodeOp::create(
      builder, builder.getUnknownLoc(), builder.getStringAttr(request.entry),
      PatternAttr::get(context, sparsec::print(request.attend)),
      TypeAttr::get(elementType(context, request.dtype)),
      builder.getI64IntegerAttr(request.headDim), builder.getI64IntegerAttr(request.valueDim),
      builder.getI64IntegerAttr(request.block.q), builder.getI64IntegerAttr(request.block.k),
      orderAttribute(context, request.keyOrder), unitUnless(builder, !request.part.last));
}

void describe(OpBuilder &builder, const AttentionMassRequest &request) {
  MLIRContext *context = builder.getContext();
  AttentionMassOp::create(builder, builder.getUnknownLoc(), builder.getStringAttr(request.entry),
                          PatternAttr::get(context, sparsec::print(request.attend)),
                          TypeAttr::get(elementType(context, request.dtype)),
                          builder.getI64IntegerAttr(request.headDim),
                          builder.getI64IntegerAttr(request.block.q),
                          builder.getI64IntegerAttr(request.block.k));
}

} // namespace sparsec::ops
