// Softmax cross-entropy of each row. Included by Ops.td.

def Sparsec_CrossEntropyOp : Sparsec_Op<"cross_entropy", [Symbol, DeclareOpInterfaceMethods<Sparsec_KernelOpInterface>]> {
  let summary = "cross-entropy of each row of logits, and its gradient";
  let description = [{
    ```mlir
    sparsec.cross_entropy @loss gradient columns 1000 dtype bf16 targets i32 tile 16 x 512
    ```
    Kernels `_rows`: loss = log(sum exp x) - x[target] and, with `gradient`, dlogits = (softmax(x) - onehot) scale,
    times a number in memory with `loss_scale`;
    and `_sum`: total = factor * the sum of the losses.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, UnitAttr:$gradient, UnitAttr:$loss_scale, I64Attr:$columns, TypeAttr:$dtype, TypeAttr:$targets,
                       I64Attr:$tile_rows, I64Attr:$tile_columns);
  let assemblyFormat = [{
    $sym_name (`gradient` $gradient^)? (`loss_scale` $loss_scale^)? `columns` $columns `dtype` $dtype
    `targets` $targets `tile` $tile_rows `x` $tile_columns attr-dict
  }];
}
