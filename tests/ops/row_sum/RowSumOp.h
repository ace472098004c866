// The operation as a row of the compiler's table.
#pragma once

#include "dialect/Operations.h"

namespace sparsec {

void registerRowSum(mlir::DialectRegistry &registry);
void describeRowSum(mlir::OpBuilder &builder, const Request &request);

} // namespace sparsec
