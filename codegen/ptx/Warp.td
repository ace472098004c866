// The warp dialect: a kernel as a block of warps sees it. Tiles stay whole tensors; an encoding says
// which thread holds which element (ptx/Fragments.h), shared memory is explicit, copies into it are
// asynchronous, and every wait and barrier is an operation of its own. What has no machine in it
// (rows, positions, reduce, expand, arith, math) stays what it was, on encoded tensors.
#ifndef SPARSEC_CODEGEN_PTX_WARP_TD
#define SPARSEC_CODEGEN_PTX_WARP_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"

def Warp_Dialect : Dialect {
  let name = "warp";
  let cppNamespace = "::sparsec::warp";
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let dependentDialects = ["::sparsec::tile::TileDialect"];
}

// The tile dialect's types. Its own definitions would be generated again if they were included.
class TileType<string cpp, string what>
    : Type<CPred<"::llvm::isa<::sparsec::tile::" # cpp # ">($_self)">, what, "::sparsec::tile::" # cpp>;
def Tile_ViewType : TileType<"ViewType", "view">;
def Tile_RowsType : TileType<"RowsType", "rows">;
def Tile_LayoutType : TileType<"LayoutType", "layout">;

//===----------------------------------------------------------------------===//
// Encodings: who holds what of a tensor
//===----------------------------------------------------------------------===//

class Warp_Attr<string name, string attrMnemonic> : AttrDef<Warp_Dialect, name> {
  let mnemonic = attrMnemonic;
}

def Warp_AccumulatorAttr : Warp_Attr<"Accumulator", "accumulator"> {
  let summary = "the result of mma.m16n8k16: `rows` rows (16, 32 or 64) of each warp, `across` warps side by side";
  let parameters = (ins "int":$warps, DefaultValuedParameter<"int", "16">:$rows, DefaultValuedParameter<"int", "1">:$across);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Warp_LhsAttr : Warp_Attr<"Lhs", "lhs"> {
  let summary = "the left operand of mma.m16n8k16 in registers: rows by warps as in accumulator";
  let parameters = (ins "int":$warps, DefaultValuedParameter<"int", "16">:$rows);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Warp_Axis : I32EnumAttr<"Axis", "an axis of a tile",
    [I32EnumAttrCase<"Rows", 0, "rows">, I32EnumAttrCase<"Columns", 1, "columns">]> {
  let cppNamespace = "::sparsec::warp";
  let genSpecializedAttr = 0;
}

def Warp_StripedAttr : Warp_Attr<"Striped", "striped"> {
  let summary = "whole rows in a warp, for kernels without products: rows by warps, `across` lanes along a row";
  let description = [{
    A lane holds runs of `vector` neighbouring columns, the next lane the next run: so a warp reads and writes whole
    lines of memory.
  }];
  let parameters = (ins "int":$warps, "int":$across, "int":$vector);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Warp_PartAttr : Warp_Attr<"Part", "part"> {
  let summary = "of a tile held as `of` says, part `index` of `count` equal ones of each thread's registers: rows in a row";
  let parameters = (ins "int":$index, "int":$count, "::sparsec::warp::AccumulatorAttr":$of);
  let assemblyFormat = "`<` $index `of` $count `,` $of `>`";
}

def Warp_SliceAttr : Warp_Attr<"Slice", "slice"> {
  let summary = "one value per row (or column) of a tile held as `of` says, in every thread that holds part of it";
  let parameters = (ins EnumParameter<Warp_Axis>:$axis, "::mlir::Attribute":$of);
  let assemblyFormat = "`<` $axis `,` $of `>`";
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

def Warp_BufferType : TypeDef<Warp_Dialect, "Buffer"> {
  let mnemonic = "buffer";
  let summary = "a tile in shared memory, once per stage";
  let description = [{
    Row r of a stage starts at byte r * pitch. With `swizzle`, the 16-byte chunk c of row r lies
    where chunk c xor (r mod 8) would: then the eight rows of a matrix fall into different banks
    though the pitch is a multiple of 128 bytes. Without it the pitch is an odd number of chunks,
    which does the same. `stages` copies lie one after the other. A vector is a buffer of one row.
  }];
  let parameters = (ins "int":$rows, "int":$columns, "::mlir::Type":$element, "int":$stages,
                        "int":$pitch, "bool":$swizzle);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let builders = [
    // The conflict-free pitch and swizzle for the shape.
    TypeBuilderWithInferredContext<(ins "int":$rows, "int":$columns, "::mlir::Type":$element, "int":$stages)>
  ];
  let extraClassDeclaration = [{
    int rowBytes() const;
    SharedRows lie() const { return {getPitch(), getSwizzle()}; }
    int stageBytes() const { return lie().bytes(getRows()); }
    BufferType withStages(int stages) const {
      return get(getContext(), getRows(), getColumns(), getElement(), stages, getPitch(), getSwizzle());
    }
  }];
}

def Warp_BlockListType : TypeDef<Warp_Dialect, "BlockList"> {
  let mnemonic = "block_list";
  let summary = "the live blocks of one row: a part of a table, or a few progressions";
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

class Warp_Op<string mnemonic, list<Trait> traits = []> : Op<Warp_Dialect, mnemonic, traits>;

def Warp_Tensor : Type<
    And<[AnyRankedTensor.predicate, CPred<"::llvm::cast<::mlir::RankedTensorType>($_self).getEncoding()">]>,
    "tensor with an encoding", "::mlir::RankedTensorType">;
def Warp_FloatTensor : Type<
    And<[Warp_Tensor.predicate, CPred<"::llvm::isa<::mlir::FloatType>(::llvm::cast<::mlir::RankedTensorType>($_self).getElementType())">]>,
    "tensor of floats with an encoding", "::mlir::RankedTensorType">;

def Warp_AllocOp : Warp_Op<"alloc"> {
  let summary = "shared memory of the block, for the whole kernel";
  let description = [{ `offset` is where it starts, in bytes, once allocate-shared has placed it. }];
  let arguments = (ins OptionalAttr<I32Attr>:$offset);
  let results = (outs Warp_BufferType:$buffer);
  let assemblyFormat = "(`at` $offset^)? attr-dict `:` type($buffer)";
}

def Warp_StageOp : Warp_Op<"stage", [Pure]> {
  let summary = "one stage of a buffer";
  let arguments = (ins Warp_BufferType:$buffer, I32:$index);
  let results = (outs Warp_BufferType:$result);
  let assemblyFormat = "$buffer `[` $index `]` attr-dict `:` type($buffer) `->` type($result)";
  let hasVerifier = 1;
}

def Warp_CopyOp : Warp_Op<"copy", [AttrSizedOperandSegments]> {
  let summary = "starts copying a tile of a view into a buffer; done once its group was waited for and all threads met";
  let description = [{
    Every thread of the block copies its share, 16 bytes at a time by cp.async. Rows and columns that are not valid become
    zero and are not read; `valid` promises that there are none. With columns the rows of a view may lie on any address:
    where they are no multiple of 16 bytes, elements are copied one at a time.
  }];
  let arguments = (ins Tile_ViewType:$view, Variadic<I32>:$indices, Tile_RowsType:$rows, Optional<Tile_RowsType>:$columns,
                       Warp_BufferType:$buffer, UnitAttr:$valid);
  let assemblyFormat = "$view `[` custom<Access>($indices, $rows, $columns) `]` `to` $buffer (`valid` $valid^)? attr-dict `:` custom<CopyTypes>(type($view), type($rows), type($columns), type($buffer))";
  let hasVerifier = 1;
}

def Warp_CopyVectorOp : Warp_Op<"copy_vector"> {
  let summary = "starts copying one value per row of a view into a buffer of one row, as copy does";
  let arguments = (ins Tile_ViewType:$view, Variadic<I32>:$indices, Tile_RowsType:$rows, Warp_BufferType:$buffer);
  let assemblyFormat = "$view `[` $indices `,` $rows `]` `to` $buffer attr-dict `:` qualified(type($view)) `,` qualified(type($rows)) `,` type($buffer)";
  let hasVerifier = 1;
}

def Warp_LoadVectorOp : Warp_Op<"load_vector"> {
  let summary = "a buffer of one row as a vector along the columns of a tile";
  let arguments = (ins Arg<Warp_BufferType, "", [MemRead]>:$buffer);
  let results = (outs Warp_FloatTensor:$result);
  let assemblyFormat = "$buffer attr-dict `:` type($buffer) `->` type($result)";
  let hasVerifier = 1;
}

def Warp_CommitOp : Warp_Op<"commit"> {
  let summary = "closes the group of the copies started since the last commit";
  let assemblyFormat = "attr-dict";
}

def Warp_WaitOp : Warp_Op<"wait"> {
  let summary = "waits until at most `pending` groups of this thread's copies are in flight";
  let arguments = (ins ConfinedAttr<I32Attr, [IntNonNegative]>:$pending);
  let assemblyFormat = "$pending attr-dict";
}

def Warp_BarrierOp : Warp_Op<"barrier"> {
  let summary = "all threads of the block meet; what they wrote before is seen after";
  let assemblyFormat = "attr-dict";
}

def Warp_LoadMatrixOp : Warp_Op<"load_matrix"> {
  let summary = "a buffer's tile as the left operand of products, by ldmatrix";
  let arguments = (ins Arg<Warp_BufferType, "", [MemRead]>:$buffer);
  let results = (outs Warp_FloatTensor:$result);
  let assemblyFormat = "$buffer attr-dict `:` type($buffer) `->` type($result)";
  let hasVerifier = 1;
}

def Warp_MmaOp : Warp_Op<"mma", [AllTypesMatch<["accumulator", "result"]>]> {
  let summary = "accumulator + lhs * rhs, or their transposes; the right side read from shared memory";
  let description = [{
    16-bit elements: mma.m16n8k16 with f32 accumulators, the right operand by ldmatrix, the left in
    registers (`lhs` encoding) or read from its buffer as it is needed. f32 elements: fused
    multiply-adds, the left from a buffer or from an accumulator, exchanged within quads. A
    transposed left operand is read from its buffer.
  }];
  let arguments = (ins AnyTypeOf<[Warp_FloatTensor, Warp_BufferType]>:$lhs, Warp_BufferType:$rhs,
                       Warp_FloatTensor:$accumulator, UnitAttr:$lhs_t, UnitAttr:$rhs_t);
  let results = (outs Warp_FloatTensor:$result);
  let assemblyFormat = "$lhs `,` $rhs `,` $accumulator (`lhs_t` $lhs_t^)? (`rhs_t` $rhs_t^)? attr-dict `:` type($lhs) `,` type($rhs) `,` type($result)";
  let hasVerifier = 1;
}

def Warp_ConvertOp : Warp_Op<"convert", [Pure, SameOperandsAndResultShape, SameOperandsAndResultElementType]> {
  let summary = "the same tensor, held otherwise; only within threads so far";
  let arguments = (ins Warp_Tensor:$source);
  let results = (outs Warp_Tensor:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Warp_PartOp : Warp_Op<"part", [Pure, SameOperandsAndResultShape, SameOperandsAndResultElementType]> {
  let summary = "the part of a tile that the result's encoding names";
  let arguments = (ins Warp_Tensor:$source);
  let results = (outs Warp_Tensor:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Warp_PresentOp : Warp_Op<"present", [Pure]> {
  let summary = "whether an optional view is there";
  let arguments = (ins Tile_ViewType:$view);
  let results = (outs I1:$result);
  let assemblyFormat = "$view attr-dict `:` qualified(type($view))";
}

def Warp_BlockRowOp : Warp_Op<"block_row", [Pure]> {
  let summary = "a layout row's blocks, and where its partial ones begin, its full ones begin, and both end";
  let description = [{ `of %place`: the row is one of the head at that place of the launch, and not of the work item's own. }];
  let arguments = (ins Tile_LayoutType:$layout, I32:$row, Optional<I32>:$place);
  let results = (outs Warp_BlockListType:$list, I32:$partial, I32:$full, I32:$end);
  let assemblyFormat = "$layout `[` $row `]` (`of` $place^)? attr-dict `:` qualified(type($layout))";
}

def Warp_BlockColumnOp : Warp_Op<"block_column", [Pure]> {
  let summary = "the block column at an index between block_row's bounds";
  let arguments = (ins Warp_BlockListType:$list, I32:$index);
  let results = (outs I32:$column);
  let assemblyFormat = "$list `[` $index `]` attr-dict";
}

#endif
