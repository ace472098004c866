// The `sparsec` dialect in C++: its attributes and operations.
#pragma once

#include "patterns/Expr.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Attributes.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"

#include "dialect/SparsecDialect.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/SparsecAttrs.h.inc"
