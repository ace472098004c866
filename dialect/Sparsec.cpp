#include "dialect/Sparsec.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

#include "dialect/SparsecDialect.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/SparsecAttrs.cpp.inc"

namespace sparsec::ops {

void SparsecDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/SparsecAttrs.cpp.inc"
      >();
}

} // namespace sparsec::ops
