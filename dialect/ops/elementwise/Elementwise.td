// Maps of matrices. Included by Ops.td.

def Sparsec_ElementwiseOp : Sparsec_Op<"elementwise", [Symbol, DeclareOpInterfaceMethods<Sparsec_KernelOpInterface>]> {
  let summary = "a map of one or two matrices";
  let description = [{
    ```mlir
    sparsec.elementwise @cast "cast" from f32 to bf16 tile 16 x 512
    ```
    `cast`: y = x scale; `gelu`: y = x sigmoid(1.702 x); `gelu_backward`: dx of x and dy; `dropout`: y = x scale where
    the random bits of the place keep it, else 0, plus a residual where there is one.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$kind, TypeAttr:$from, TypeAttr:$to,
                       I64Attr:$tile_rows, I64Attr:$tile_columns);
  let assemblyFormat = "$sym_name $kind `from` $from `to` $to `tile` $tile_rows `x` $tile_columns attr-dict";
  let hasVerifier = 1;
}
