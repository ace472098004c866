// The passes from tile programs to the llvm dialect, in the order of Pipeline.cpp. Those that depend on
// the products and copies of an architecture are in a folder of its name.
#ifndef SPARSEC_CODEGEN_PTX_PASSES
#define SPARSEC_CODEGEN_PTX_PASSES

include "mlir/Pass/PassBase.td"

def AssignEncodings : Pass<"assign-encodings", "::sparsec::tile::KernelOp"> {
  let summary = "say which thread holds which element of every tensor";
  let dependentDialects = ["::sparsec::warp::WarpDialect"];
}

def PipelineFolds : Pass<"pipeline-folds", "::sparsec::tile::KernelOp"> {
  let summary = "folds become loops over shared memory that is filled one block ahead";
  let dependentDialects = ["::sparsec::warp::WarpDialect", "::mlir::scf::SCFDialect",
                           "::mlir::arith::ArithDialect"];
}

def StoreInParts : Pass<"store-in-parts", "::sparsec::tile::KernelOp"> {
  let summary = "what is done to sums before they are stored is done for a few rows at a time";
  let dependentDialects = ["::sparsec::warp::WarpDialect"];
}

def AllocateShared : Pass<"allocate-shared", "::sparsec::tile::KernelOp"> {
  let summary = "place the buffers of a kernel in its shared memory";
  let dependentDialects = ["::sparsec::warp::WarpDialect"];
}

def WarpToLlvm : Pass<"warp-to-llvm", "::mlir::ModuleOp"> {
  let summary = "what one thread does: tensors become vectors of what it holds, kernels functions";
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::scf::SCFDialect",
                           "::mlir::arith::ArithDialect"]; // and nvvm, by name
}

#endif
