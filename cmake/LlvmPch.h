// The same with the LLVM dialect (25 s more; it saves as much a file).
#include "MlirPch.h"
#include <mlir/Dialect/LLVMIR/LLVMDialect.h>
