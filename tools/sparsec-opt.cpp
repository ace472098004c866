// sparsec-opt: every pass alone, on text. `sparsec-opt --split-full-blocks x.mlir`.
#include "codegen/Pipeline.h"
#include "codegen/passes/Passes.h"
#include "dialect/passes/Passes.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  sparsec::registerCompilerDialects(registry);
  sparsec::registerCodegenPasses();
  sparsec::registerPipelines();
  mlir::registerTransformsPasses();
  sparsec::registerPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "sparsec's passes\n", registry));
}
