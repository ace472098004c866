#include "dialect/Ops.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

#include "dialect/SparsecDialect.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/SparsecAttrs.cpp.inc"

#include "dialect/OpsInterfaces.cpp.inc"

#define GET_OP_CLASSES
#include "dialect/Ops.cpp.inc"

namespace sparsec::ops {

void SparsecDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/SparsecAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialect/Ops.cpp.inc"
      >();
}

static Result<Expr> parsed(StringRef text) {
  return parsePredicate(std::make_shared<SourceText>(SourceText{"pattern", text.str()}));
}

LogicalResult PatternAttr::verify(function_ref<InFlightDiagnostic()> emitError, StringRef text) {
  Result<Expr> predicate = parsed(text);
  if (!predicate) {
    const Error &error = predicate.error();
    InFlightDiagnostic diagnostic = emitError() << "pattern: " << error.message;
    if (error.where)
      diagnostic << " (column " << error.where->column << ')';
    return diagnostic;
  }
  if (std::string canonical = sparsec::print(*predicate); canonical != text)
    return emitError() << "pattern: expected the canonical text \"" << canonical << "\", found \""
                       << text << '"';
  return success();
}

Expr PatternAttr::predicate() const {
  return *parsed(getText());
}

} // namespace sparsec::ops
