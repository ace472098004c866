// A dialect of one operation, as a user of the compiler would bring it.
#ifndef TESTS_ROW_SUM
#define TESTS_ROW_SUM

include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "dialect/KernelOpInterface.td"

def RowSum_Dialect : Dialect {
  let name = "row_sum";
  let summary = "scaled row sums";
  let cppNamespace = "::sparsec::row_sum";
}

def RowSum_SumOp : Op<RowSum_Dialect, "sum", [Symbol, DeclareOpInterfaceMethods<Sparsec_KernelOpInterface>]> {
  let summary = "y[b, h, row] = scale * sum_c x[b, h, row, c], in f32";
  let description = [{
    ```mlir
    row_sum.sum @sums columns 64
    ```
    Batch, heads, rows and scale are arguments of the kernel.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$columns);
  let assemblyFormat = "$sym_name `columns` $columns attr-dict";
}

#endif
