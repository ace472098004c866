// The `tile` dialect in C++: the body of one kernel as an algorithm over tiles.
//
//   tile.kernel @causal(%q: !tile.view<bf16, 3>, ...) args ["q", ...] {
//     %b, %h, %i, %r = tile.work rows of %layout : !tile.layout
//     ...
//     tile.fold %j in %blocks init(...) fetch {loads} lead(...) {q k^T} step(...) {softmax, p v}
//     tile.store ...
//   }
//
// tests/dialect/attention-forward.mlir is a whole one. Values are builtin tensors, elementwise work
// is arith and math; Tile.td says what each op means and what its verifier refuses.
#pragma once

#include "dialect/Sparsec.h"

#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialect/TileDialect.h.inc"
#include "dialect/TileEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/TileAttrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialect/TileTypes.h.inc"

#define GET_OP_CLASSES
#include "dialect/TileOps.h.inc"

namespace sparsec::tile {

/// Attribute of a module whose kernels take their blocks from tables alone.
inline constexpr llvm::StringLiteral kTablesOnlyAttr = "tile.tables_only";

/// An access to a view is written [%b, %h, %rows] or [%b, %h, %rows, cols %columns].
mlir::ParseResult parseAccess(mlir::OpAsmParser &parser,
                              llvm::SmallVectorImpl<mlir::OpAsmParser::UnresolvedOperand> &indices,
                              mlir::OpAsmParser::UnresolvedOperand &rows,
                              std::optional<mlir::OpAsmParser::UnresolvedOperand> &columns);
void printAccess(mlir::OpAsmPrinter &printer, mlir::Operation *, mlir::OperandRange indices,
                 mlir::Value rows, mlir::Value columns);

} // namespace sparsec::tile
