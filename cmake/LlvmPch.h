// The same with the LLVM dialect (25 s more).
#include "MlirPch.h"
#include <mlir/Dialect/LLVMIR/LLVMDialect.h>
