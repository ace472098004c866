// The operations of the `sparsec` dialect.
#ifndef SPARSEC_DIALECT_OPS
#define SPARSEC_DIALECT_OPS

include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "dialect/KernelOpInterface.td"
include "dialect/Sparsec.td"

class Sparsec_Op<string name, list<Trait> traits = []> : Op<Sparsec_Dialect, name, traits>;

// The tile dialect's, by name: its own definitions would be generated a second time here.
def Tile_OrderAttr : Attr<CPred<"::llvm::isa<::sparsec::tile::OrderAttr>($_self)">, "token order"> {
  let storageType = "::sparsec::tile::OrderAttr";
  let returnType = storageType;
  let convertFromStorage = "$_self";
}

include "dialect/ops/adam/Adam.td"
include "dialect/ops/attention/Attention.td"
include "dialect/ops/attention/AttentionBackward.td"
include "dialect/ops/attention/AttentionDecode.td"
include "dialect/ops/attention/AttentionMass.td"
include "dialect/ops/cross_entropy/CrossEntropy.td"
include "dialect/ops/elementwise/Elementwise.td"
include "dialect/ops/embedding/Embedding.td"
include "dialect/ops/layer_norm/LayerNorm.td"
include "dialect/ops/sample/Sample.td"
include "dialect/ops/matmul/Matmul.td"
include "dialect/ops/matmul/SparseMatmul.td"

#endif
