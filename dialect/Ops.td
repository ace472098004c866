// The operations of the `sparsec` dialect and the interface by which they own their kernels.
#ifndef SPARSEC_DIALECT_OPS
#define SPARSEC_DIALECT_OPS

include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "dialect/Sparsec.td"

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

class Sparsec_Op<string name, list<Trait> traits = []> : Op<Sparsec_Dialect, name, traits>;

// The tile dialect's, by name: its own definitions would be generated a second time here.
def Tile_OrderAttr : Attr<CPred<"::llvm::isa<::sparsec::tile::OrderAttr>($_self)">, "token order"> {
  let storageType = "::sparsec::tile::OrderAttr";
  let returnType = storageType;
  let convertFromStorage = "$_self";
}

include "dialect/ops/attention/Attention.td"

#endif
