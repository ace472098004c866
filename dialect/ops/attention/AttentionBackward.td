// Attention backward over the live blocks of a pattern. Included by Ops.td.

def Sparsec_AttentionBackwardOp : Sparsec_Op<"attention_backward", [Symbol, DeclareOpInterfaceMethods<Sparsec_KernelOpInterface>]> {
  let summary = "one pass of the gradients of attention, of one head entry of a pattern";
  let description = [{
    ```mlir
    sparsec.attention_backward @causal #sparsec.pattern<"k <= q">
        dtype bf16 head_dim 64 value_dim 64 block 64 x 64
    ```
    With s = scale q k^T, p = exp(s - lse) where the pattern attends, dp = dout v^T and
    delta = rowsum(dout * out) - dlse:

    Without `over_keys`: kernels `_delta`, which leaves delta, and `_dq`: dq = scale (p * (dp - delta)) k.
    `over_keys`: one kernel, under the op's own symbol: dk = scale (p * (dp - delta))^T q and
    dv = p^T dout, summed over the query heads that share the keys.

    `prior`: dq goes on from dq_sums, and there is no `_delta`; `partial`: it stays there, in f32.

    Rows without keys and keys that nobody sees get zero gradients.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, UnitAttr:$over_keys, Sparsec_PatternAttr:$pattern, TypeAttr:$dtype,
                       I64Attr:$head_dim, I64Attr:$value_dim, I64Attr:$block_q, I64Attr:$block_k,
                       OptionalAttr<Tile_OrderAttr>:$queries, OptionalAttr<Tile_OrderAttr>:$keys,
                       UnitAttr:$prior, UnitAttr:$partial);
  let assemblyFormat = [{
    $sym_name (`over_keys` $over_keys^)? qualified($pattern) `dtype` $dtype `head_dim` $head_dim `value_dim` $value_dim
    `block` $block_q `x` $block_k (`queries` qualified($queries)^)? (`keys` qualified($keys)^)?
    (`prior` $prior^)? (`partial` $partial^)? attr-dict
  }];
  let hasVerifier = 1;
}
