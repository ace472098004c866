// Attention of new queries over a cache of keys and values. Included by Ops.td.

def Sparsec_AttentionDecodeOp : Sparsec_Op<"attention_decode", [Symbol, DeclareOpInterfaceMethods<Sparsec_KernelOpInterface>]> {
  let summary = "attention of a few new queries, of one head entry of a pattern, over cached keys";
  let description = [{
    ```mlir
    sparsec.attention_decode @causal #sparsec.pattern<"k <= q">
        dtype bf16 head_dim 64 value_dim 64 block 16 x 64 merge
    ```
    The rows of a tile are the query heads that share keys, all at one position; the layout has a row for each
    position. A row's blocks are work for `slices` items, each of which leaves its softmax in f32 (`part_max`,
    `part_sum`, `part_out`), or the result itself where it is the only one (`whole`). With `merge` there is a second
    kernel, `_merge`, which makes the result of what all have left. Lengths of sequences lie in memory.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Sparsec_PatternAttr:$pattern, TypeAttr:$dtype,
                       I64Attr:$head_dim, I64Attr:$value_dim, I64Attr:$block_q, I64Attr:$block_k,
                       OptionalAttr<Tile_OrderAttr>:$keys, UnitAttr:$merge);
  let assemblyFormat = [{
    $sym_name qualified($pattern) `dtype` $dtype `head_dim` $head_dim `value_dim` $value_dim
    `block` $block_q `x` $block_k (`keys` qualified($keys)^)? (`merge` $merge^)? attr-dict
  }];
  let extraClassDeclaration = "::sparsec::tile::OrderAttr getQueriesAttr() { return {}; }";
  let hasVerifier = 1;
}
