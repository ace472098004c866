// libsparsec-compiler: all that it exports (kernel/CompilerInterface.h).
#include "codegen/Compiler.h"
#include "kernel/CompilerInterface.h"
#include "kernel/CompilerStamp.h"

extern "C" __attribute__((visibility("default"))) const sparsec::CompilerInterface *
sparsec_compiler_interface() {
  static const sparsec::CompilerInterface interface = {sparsec::compilerStamp(), sparsec::compile};
  return &interface;
}
