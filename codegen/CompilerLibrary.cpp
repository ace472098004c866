// libsparsec-compiler: all that it exports (kernel/CompilerInterface.h).
#include "codegen/Compiler.h"
#include "kernel/CompilerInterface.h"

extern "C" __attribute__((visibility("default"))) const sparsec::CompilerInterface *
sparsec_compiler_interface() {
  static const std::string version = sparsec::compilerVersion();
  static const sparsec::CompilerInterface interface = {version.c_str(), sparsec::compile};
  return &interface;
}
