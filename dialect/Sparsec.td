// The `sparsec` dialect: whole operations, free of any target, and the attributes they share with
// kernel bodies.
#ifndef SPARSEC_DIALECT_SPARSEC
#define SPARSEC_DIALECT_SPARSEC

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/OpBase.td"

def Sparsec_Dialect : Dialect {
  let name = "sparsec";
  let summary = "whole operations over block-sparse patterns";
  let cppNamespace = "::sparsec::ops";
  let useDefaultAttributePrinterParser = 1;
}

def Sparsec_PatternAttr : AttrDef<Sparsec_Dialect, "Pattern"> {
  let mnemonic = "pattern";
  let summary = "a closed predicate over h, q, k, n and nq, as its canonical text";
  let description = [{
    `#sparsec.pattern<"k <= q and q - k < 128">`: the text that print() gives and parsePredicate()
    reads back. Two attributes are equal when their texts are.
  }];
  let parameters = (ins StringRefParameter<"canonical predicate text">:$text);
  let assemblyFormat = "`<` $text `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The predicate that the text says.
    ::sparsec::Expr predicate() const;
  }];
}

#endif
