// The interface by which operations, of the `sparsec` dialect or another, own their kernels.
#ifndef SPARSEC_DIALECT_KERNEL_OP_INTERFACE
#define SPARSEC_DIALECT_KERNEL_OP_INTERFACE

include "mlir/IR/OpBase.td"

def Sparsec_KernelOpInterface : OpInterface<"KernelOpInterface"> {
  let description = [{
    An operation that owns its kernels: it writes them as tile programs, so that the compiler never
    names an operation.
  }];
  let cppNamespace = "::sparsec::ops";
  let methods = [
    InterfaceMethod<"Writes the kernels at the builder's place, in the order they run. The symbol of an only kernel is the op's own, those of several begin with it.",
      "void", "buildKernels", (ins "::mlir::OpBuilder &":$builder)>,
  ];
}

#endif
