// Block sums of attention weights. Included by Ops.td.

def Sparsec_AttentionMassOp : Sparsec_Op<"attention_mass", [Symbol, DeclareOpInterfaceMethods<Sparsec_KernelOpInterface>]> {
  let summary = "sums of the attention weights of each live block, and of their squares";
  let description = [{
    ```mlir
    sparsec.attention_mass @causal #sparsec.pattern<"k <= q"> dtype bf16 head_dim 64 block 64 x 64
    ```
    With p = exp(scale q k^T - lse) where the pattern attends, of each block in the list: mass = sum p and
    squares = sum p^2. The list is an argument, three numbers for each block: head, block row, block column.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Sparsec_PatternAttr:$pattern, TypeAttr:$dtype,
                       I64Attr:$head_dim, I64Attr:$block_q, I64Attr:$block_k);
  let assemblyFormat = [{
    $sym_name qualified($pattern) `dtype` $dtype `head_dim` $head_dim `block` $block_q `x` $block_k attr-dict
  }];
  let hasVerifier = 1;
}
