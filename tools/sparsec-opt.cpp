// sparsec-opt: every pass alone, on text. `sparsec-opt --split-full-blocks x.mlir`.
#include "codegen/Pipeline.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  sparsec::registerCompilerDialects(registry);
  sparsec::registerAllPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "sparsec's passes\n", registry));
}
