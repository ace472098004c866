// Attention over the live blocks of a pattern. Included by Ops.td.

def Sparsec_AttentionOp : Sparsec_Op<"attention", [Symbol, DeclareOpInterfaceMethods<Sparsec_KernelOpInterface>]> {
  let summary = "attention of one head entry of a pattern";
  let description = [{
    ```mlir
    sparsec.attention @causal_head0 #sparsec.pattern<"k <= q">
        dtype bf16 head_dim 64 value_dim 64 block 64 x 64 lse
    ```
    out = softmax(scale q k^T, where the pattern attends) v, for every head that uses the entry.
    Lengths, heads, batch and scale are arguments of the kernel. With `lse` the kernel also gives
    the natural log of the sum of exponentials of each row's scaled scores, where it is asked to.
    A row without keys gives 0 and -inf.

    `queries` and `keys` name the token orders of the two axes; their sizes are arguments.

    A head that is computed as disjoint parts is one such op for each. `partial`: what the part has
    summed is left for a part to come, in f32: `out` (not divided), and of each row `row_max`, in
    units of ln 2, and `row_sum`. `prior`: the softmax goes on from those of the part before, which
    are further arguments.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Sparsec_PatternAttr:$pattern, TypeAttr:$dtype,
                       I64Attr:$head_dim, I64Attr:$value_dim, I64Attr:$block_q, I64Attr:$block_k,
                       OptionalAttr<Tile_OrderAttr>:$queries, OptionalAttr<Tile_OrderAttr>:$keys,
                       UnitAttr:$lse, UnitAttr:$prior, UnitAttr:$partial);
  let assemblyFormat = [{
    $sym_name qualified($pattern) `dtype` $dtype `head_dim` $head_dim `value_dim` $value_dim
    `block` $block_q `x` $block_k (`queries` qualified($queries)^)? (`keys` qualified($keys)^)?
    (`lse` $lse^)? (`prior` $prior^)? (`partial` $partial^)? attr-dict
  }];
  let hasVerifier = 1;
}
