// The optimiser's step. Included by Ops.td.

def Sparsec_AdamOp : Sparsec_Op<"adam", [Symbol, DeclareOpInterfaceMethods<Sparsec_KernelOpInterface>]> {
  let summary = "Adam with decoupled weight decay over flat buffers";
  let description = [{
    ```mlir
    sparsec.adam @step gradients bf16 copy bf16 tile_rows 64
    ```
    Kernels `_norm`, `_control` and `_update`: kernel/ops/Adam.h says what each does.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttr:$gradients, OptionalAttr<TypeAttr>:$copy, I64Attr:$tile_rows);
  let assemblyFormat = "$sym_name `gradients` $gradients (`copy` $copy^)? `tile_rows` $tile_rows attr-dict";
}
