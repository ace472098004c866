// Sampling from rows of logits. Included by Ops.td.

def Sparsec_SampleOp : Sparsec_Op<"sample", [Symbol, DeclareOpInterfaceMethods<Sparsec_KernelOpInterface>]> {
  let summary = "a class of each row, drawn by its logits";
  let description = [{
    ```mlir
    sparsec.sample @sample columns 256 dtype bf16 tile 16 x 256
    ```
    The first class whose running sum of exp((x - max) / T) is above a uniform number times the sum of all.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$columns, TypeAttr:$dtype, I64Attr:$tile_rows,
                       I64Attr:$tile_columns);
  let assemblyFormat = "$sym_name `columns` $columns `dtype` $dtype `tile` $tile_rows `x` $tile_columns attr-dict";
}
