// The compiler as one list: what happens to a request, in order.
#include "codegen/Pipeline.h"

#include "codegen/ptx/Nvvm.h"
#include "codegen/ptx/Passes.h"
#include "codegen/ptx/Warp.h"
#include "dialect/Dialects.h"
#include "dialect/passes/Passes.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace sparsec {

void addTilePasses(OpPassManager &passes) {
  passes.addPass(createExpandOps());
  passes.addNestedPass<tile::KernelOp>(createSplitFullBlocks());
  passes.addNestedPass<tile::KernelOp>(createLowerPredicates());
  passes.addNestedPass<tile::KernelOp>(createLowerRandom());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
}

void addCpuTilePasses(OpPassManager &passes) {
  passes.addPass(createExpandOps());
  passes.addNestedPass<tile::KernelOp>(createScaleOperands());
  passes.addNestedPass<tile::KernelOp>(createLowerPredicates());
  passes.addNestedPass<tile::KernelOp>(createLowerRandom());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
}

void addWarpPasses(OpPassManager &passes) {
  OpPassManager &kernels = passes.nest<tile::KernelOp>();
  kernels.addPass(createAssignEncodings());
  kernels.addPass(createPipelineFolds());
  kernels.addPass(createStoreInParts());
  kernels.addPass(createAllocateShared());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
}

void addLlvmPasses(OpPassManager &passes) {
  passes.addPass(createWarpToLlvm());
  passes.addPass(arith::createArithExpandOpsPass());
  passes.addPass(createSCFToControlFlowPass());
  passes.addPass(createConvertControlFlowToLLVMPass());
  passes.addPass(createConvertMathToLLVMPass());
  passes.addPass(createArithToLLVMConversionPass());
  passes.addPass(createReconcileUnrealizedCastsPass());
}

void registerAllPasses() {
  registerPasses();
  registerCodegenPasses();
  registerTransformsPasses();
  PassPipelineRegistration<>("tile-pipeline", "whole operations to tile programs", addTilePasses);
  PassPipelineRegistration<>("cpu-tile-pipeline", "the same for CPUs", addCpuTilePasses);
  PassPipelineRegistration<>("warp-pipeline", "tile programs to blocks of warps", addWarpPasses);
  PassPipelineRegistration<>("llvm-pipeline", "blocks of warps to the llvm dialect", addLlvmPasses);
}

void registerCompilerDialects(DialectRegistry &registry) {
  registerDialects(registry);
  registry.insert<warp::WarpDialect, LLVM::LLVMDialect, scf::SCFDialect>();
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  nvvm::registerDialect(registry);
}

} // namespace sparsec
