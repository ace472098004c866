// A layer whose weights are block-sparse: its three products. Included by Ops.td.

class Sparsec_SparseMatmulKernels<string name, dag flags> : Sparsec_Op<name, [Symbol, DeclareOpInterfaceMethods<Sparsec_KernelOpInterface>]> {
  let arguments = !con((ins SymbolNameAttr:$sym_name, Sparsec_PatternAttr:$pattern, TypeAttr:$dtype, I64Attr:$tile_tokens,
                            I64Attr:$block_out, I64Attr:$block_in), flags);
}

def Sparsec_SparseMatmulOp : Sparsec_SparseMatmulKernels<"sparse_matmul",
    (ins TypeAttr:$stream, UnitAttr:$bias, UnitAttr:$gelu, UnitAttr:$save, UnitAttr:$residual)> {
  let summary = "y = x w^T of tokens over the live blocks of w, with what is done to it";
  let description = [{
    ```mlir
    sparsec.sparse_matmul @up #sparsec.pattern<"abs(q - k) <= 128"> dtype bf16 tile 64 tokens block 64 x 64 bias stream f32
    ```
    What stands around the product is that of `sparsec.matmul`. A second kernel, `_masked`, copies w with 0 where the
    pattern (q: output, k: input) does not attend.
  }];
  let assemblyFormat = [{
    $sym_name qualified($pattern) `dtype` $dtype `tile` $tile_tokens `tokens` `block` $block_out `x` $block_in
    (`bias` $bias^)? (`gelu` $gelu^)? (`save` $save^)? (`residual` $residual^)? `stream` $stream attr-dict
  }];
}

def Sparsec_SparseMatmulInputGradientOp : Sparsec_SparseMatmulKernels<"sparse_matmul_input_gradient", (ins UnitAttr:$gelu)> {
  let summary = "dx = dy w of tokens over the live blocks of w, by columns of blocks; and `_masked`";
  let assemblyFormat = [{
    $sym_name qualified($pattern) `dtype` $dtype `tile` $tile_tokens `tokens` `block` $block_out `x` $block_in (`gelu` $gelu^)? attr-dict
  }];
}

def Sparsec_SparseMatmulWeightGradientOp : Sparsec_SparseMatmulKernels<"sparse_matmul_weight_gradient",
    (ins TypeAttr:$weights, UnitAttr:$bias)> {
  let summary = "dw = dy^T x in the live blocks of w, 0 where the pattern does not attend; with `bias` the column sums of dy";
  let assemblyFormat = [{
    $sym_name qualified($pattern) `dtype` $dtype `tile` $tile_tokens `tokens` `block` $block_out `x` $block_in
    `weights` $weights (`bias` $bias^)? attr-dict
  }];
}
