#include "dialect/Dialects.h"

#include "dialect/Sparsec.h"
#include "dialect/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace sparsec {

void registerDialects(mlir::DialectRegistry &registry) {
  registry.insert<ops::SparsecDialect, tile::TileDialect, mlir::arith::ArithDialect,
                  mlir::func::FuncDialect, mlir::math::MathDialect, mlir::scf::SCFDialect>();
}

} // namespace sparsec
