// Layer norm of each row. Included by Ops.td.

def Sparsec_LayerNormOp
    : Sparsec_Op<"layer_norm", [Symbol, DeclareOpInterfaceMethods<Sparsec_KernelOpInterface>]> {
  let summary = "layer norm of each row, or its gradients";
  let description = [{
    ```mlir
    sparsec.layer_norm @norm columns 1024 stream f32 dtype bf16 tile 16 x 512 sums 256 x 32
    ```
    y = (x - mean) rstd gain + bias, with mean and rstd left for `backward`: kernels `_dx`, which gives dx and the
    partial sums of dgain and dbias of each tile of rows, and `_sums`, which adds those up.
  }];
  let arguments = (ins SymbolNameAttr
                   : $sym_name, UnitAttr
                   : $backward, I64Attr
                   : $columns, TypeAttr
                   : $stream, TypeAttr
                   : $dtype, I64Attr
                   : $tile_rows, I64Attr
                   : $tile_columns, I64Attr
                   : $sums_rows, I64Attr
                   : $sums_columns);
  let assemblyFormat = [{
    $sym_name (`backward` $backward^)? `columns` $columns `stream` $stream `dtype` $dtype
    `tile` $tile_rows `x` $tile_columns `sums` $sums_rows `x` $sums_columns attr-dict
  }];
}
