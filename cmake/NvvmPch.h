// The same with the LLVM and NVVM dialects (60 s and 1 GB; it saves 15 s a file).
#include "MlirPch.h"
#include <mlir/Dialect/LLVMIR/LLVMDialect.h>
#include <mlir/Dialect/LLVMIR/NVVMDialect.h>
