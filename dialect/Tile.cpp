#include "dialect/Tile.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace sparsec::tile {

ParseResult parseAccess(OpAsmParser &parser,
                        SmallVectorImpl<OpAsmParser::UnresolvedOperand> &indices,
                        OpAsmParser::UnresolvedOperand &rows,
                        std::optional<OpAsmParser::UnresolvedOperand> &columns) {
  do {
    if (succeeded(parser.parseOptionalKeyword("cols"))) {
      columns.emplace();
      if (parser.parseOperand(*columns))
        return failure();
      break;
    }
    if (parser.parseOperand(indices.emplace_back()))
      return failure();
  } while (succeeded(parser.parseOptionalComma()));
  if (indices.empty())
    return parser.emitError(parser.getCurrentLocation(), "expected rows before 'cols'");
  rows = indices.pop_back_val();
  return success();
}

void printAccess(OpAsmPrinter &printer, Operation *, OperandRange indices, Value rows,
                 Value columns) {
  for (Value index : indices)
    printer << index << ", ";
  printer << rows;
  if (columns)
    printer << ", cols " << columns;
}

} // namespace sparsec::tile

static ParseResult parseAccessTypes(OpAsmParser &parser, Type &view, Type &rows, Type &columns) {
  if (parser.parseType(view) || parser.parseComma() || parser.parseType(rows))
    return failure();
  return succeeded(parser.parseOptionalComma()) ? parser.parseType(columns) : success();
}

static void printAccessTypes(OpAsmPrinter &printer, Operation *, Type view, Type rows,
                             Type columns) {
  printer << view << ", " << rows;
  if (columns)
    printer << ", " << columns;
}

#include "dialect/TileDialect.cpp.inc"
#include "dialect/TileEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/TileAttrs.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialect/TileTypes.cpp.inc"

#define GET_OP_CLASSES
#include "dialect/TileOps.cpp.inc"

namespace sparsec::tile {

void TileDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/TileAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialect/TileTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialect/TileOps.cpp.inc"
      >();
}

LogicalResult ViewType::verify(function_ref<InFlightDiagnostic()> emitError, Type elementType,
                               int64_t strides) {
  if (!elementType.isIntOrFloat())
    return emitError() << "a view has integers or floats, not " << elementType;
  if (strides < 0 || strides > 4)
    return emitError() << "a view has 0 to 4 strides, not " << strides;
  return success();
}

LogicalResult RowsType::verify(function_ref<InFlightDiagnostic()> emitError, int64_t size,
                               int64_t heads, OrderKind) {
  if (size < 1)
    return emitError() << "rows of a tile are at least 1, not " << size;
  if (heads < 1 || size % heads != 0)
    return emitError() << "heads (" << heads << ") do not divide the rows (" << size << ")";
  return success();
}

} // namespace sparsec::tile
