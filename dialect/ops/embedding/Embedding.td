// Embedding and the gradient of a table. Included by Ops.td.

def Sparsec_EmbeddingOp : Sparsec_Op<"embedding", [Symbol, DeclareOpInterfaceMethods<Sparsec_KernelOpInterface>]> {
  let summary = "sums of rows of a token table and of position tables";
  let description = [{
    ```mlir
    sparsec.embedding @embed columns 1024 tables bf16 dtype bf16 tokens i8 positions 3 slab 128
    ```
    A work item: 64 positions of a sequence, `slab` columns.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$columns, TypeAttr:$tables, TypeAttr:$dtype, TypeAttr:$tokens,
                       I64Attr:$positions, I64Attr:$slab);
  let assemblyFormat = [{
    $sym_name `columns` $columns `tables` $tables `dtype` $dtype `tokens` $tokens `positions` $positions
    `slab` $slab attr-dict
  }];
}

def Sparsec_EmbeddingGradientOp : Sparsec_Op<"embedding_gradient", [Symbol, DeclareOpInterfaceMethods<Sparsec_KernelOpInterface>]> {
  let summary = "the gradient of a table whose rows were added up by an index";
  let description = [{
    ```mlir
    sparsec.embedding_gradient @embed columns 1024 dtype bf16 index i8 slab 128 block 64 x 64
    ```
    Kernels `_parts`, sums over the batches of a part, and `_sum`, which adds those up in order.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$columns, TypeAttr:$dtype, TypeAttr:$index, I64Attr:$slab,
                       I64Attr:$block_q, I64Attr:$block_k);
  let assemblyFormat = [{
    $sym_name `columns` $columns `dtype` $dtype `index` $index `slab` $slab `block` $block_q `x` $block_k attr-dict
  }];
}

def Sparsec_EmbeddingSegmentsOp : Sparsec_Op<"embedding_segments", [Symbol, DeclareOpInterfaceMethods<Sparsec_KernelOpInterface>]> {
  let summary = "the same of tokens of a table of many rows, which are sorted first";
  let description = [{
    ```mlir
    sparsec.embedding_segments @embed columns 1024 dtype bf16 index i32 slab 128
    ```
    Kernels `_count`, `_total`, `_place` and `_sort`, a counting sort of the tokens by blocks of 64 rows; `_parts`, sums of
    the positions that a block's segment has, of a long one in parts, and `_sum`, which adds the parts up in order.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$columns, TypeAttr:$dtype, TypeAttr:$index, I64Attr:$slab);
  let assemblyFormat = "$sym_name `columns` $columns `dtype` $dtype `index` $index `slab` $slab attr-dict";
}
