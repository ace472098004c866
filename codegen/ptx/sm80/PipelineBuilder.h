// Builds the operations of a pipeline at one place, all with one location.
#pragma once

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace sparsec::sm80 {

class PipelineBuilder : public mlir::ImplicitLocOpBuilder {
public:
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;
  mlir::Value i32(int64_t value) {
    return create<mlir::arith::ConstantOp>(getI32IntegerAttr(static_cast<int32_t>(value)));
  }
  mlir::Value less(mlir::Value a, mlir::Value b) {
    return create<mlir::arith::CmpIOp>(mlir::arith::CmpIPredicate::slt, a, b);
  }
};

} // namespace sparsec::sm80
