// A dense layer: its three products. Included by Ops.td.

class Sparsec_MatmulKernels<string name, dag flags> : Sparsec_Op<name, [Symbol, DeclareOpInterfaceMethods<Sparsec_KernelOpInterface>]> {
  let arguments = !con((ins SymbolNameAttr:$sym_name, TypeAttr:$dtype, I64Attr:$tile_tokens, I64Attr:$tile_out, I64Attr:$tile_in, I64Attr:$stages), flags);
}

def Sparsec_MatmulOp : Sparsec_MatmulKernels<"matmul", (ins TypeAttr:$stream, UnitAttr:$bias, UnitAttr:$gelu, UnitAttr:$save, UnitAttr:$residual)> {
  let summary = "y = x w^T of tokens, with what is done to it";
  let description = [{
    ```mlir
    sparsec.matmul @up dtype bf16 tile 256 tokens 128 out 128 in stages 2 bias gelu save stream f32
    ```
    u = x w^T (+ bias); y = u, or u sigmoid(1.702 u) with `gelu`; (+ residual, which has the type
    `stream`, as y then). `save`: u is an output too.
  }];
  let assemblyFormat = [{
    $sym_name `dtype` $dtype `tile` $tile_tokens `tokens` $tile_out `out` $tile_in `in` `stages` $stages
    (`bias` $bias^)? (`gelu` $gelu^)? (`save` $save^)? (`residual` $residual^)? `stream` $stream attr-dict
  }];
}

def Sparsec_MatmulInputGradientOp : Sparsec_MatmulKernels<"matmul_input_gradient", (ins UnitAttr:$gelu)> {
  let summary = "dx = dy w of tokens; with `gelu` times the derivative of x = gelu(u) at u";
  let assemblyFormat = [{
    $sym_name `dtype` $dtype `tile` $tile_tokens `tokens` $tile_out `out` $tile_in `in` `stages` $stages (`gelu` $gelu^)? attr-dict
  }];
}

def Sparsec_MatmulWeightGradientOp : Sparsec_MatmulKernels<"matmul_weight_gradient", (ins TypeAttr:$weights, UnitAttr:$bias)> {
  let summary = "dw = dy^T x over tokens, all of them or ranges that a second kernel sums; with `bias` the column sums of dy";
  let assemblyFormat = [{
    $sym_name `dtype` $dtype `tile` $tile_tokens `tokens` $tile_out `out` $tile_in `in` `stages` $stages `weights` $weights (`bias` $bias^)? attr-dict
  }];
}
