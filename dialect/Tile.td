// The `tile` dialect: the body of one kernel as an algorithm over tiles: loads, products, row
// reductions, one fold over a block list, stores. It says nothing of warps, stages or registers.
//
// A value is a builtin tensor of rank 1 or 2, so elementwise work is arith and math. Every op
// accepts tensors with an encoding and sets none: who holds what is decided by `warp` passes.
#ifndef SPARSEC_DIALECT_TILE
#define SPARSEC_DIALECT_TILE

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/LoopLikeInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "dialect/Sparsec.td"

def Tile_Dialect : Dialect {
  let name = "tile";
  let summary = "kernel bodies over tiles";
  let cppNamespace = "::sparsec::tile";
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
}

//===-- Types ---------------------------------------------------------------------------------===//

class Tile_Type<string cpp, string name> : TypeDef<Tile_Dialect, cpp> { let mnemonic = name; }

def Tile_ViewType : Tile_Type<"View", "view"> {
  let summary = "a pointer and its run-time strides";
  let description = [{
    `!tile.view<bf16, 3>` has three strides. Indexed as `[%b, %h, %rows]` (as many indices as
    strides) it gives tiles of rows and contiguous columns: the last stride is that of a row.
    `!tile.view<f32, 2>` indexed as `[%b, %h, %rows]` (one index more than strides) gives tiles of
    rank 1: the rows themselves are contiguous; so does `!tile.view<f32, 3>`, with a stride.
  }];
  let parameters = (ins "::mlir::Type":$elementType, "int64_t":$strides);
  let assemblyFormat = "`<` $elementType `,` $strides `>`";
  let genVerifyDecl = 1;
}

def Tile_OrderKind : I32EnumAttr<"OrderKind", "how the positions of an axis fill its tiles", [
  I32EnumAttrCase<"Natural", 0, "natural">,
  I32EnumAttrCase<"Residue", 1, "residue">,
  I32EnumAttrCase<"Tails", 2, "tails">,
  I32EnumAttrCase<"Grid2", 3, "grid2">,
  I32EnumAttrCase<"Grid3", 4, "grid3">,
  I32EnumAttrCase<"Table", 5, "table">,
  I32EnumAttrCase<"Gathered", 6, "gathered">, // by positions that the kernel worked out: rows_at
]> {
  let cppNamespace = "::sparsec::tile";
  let genSpecializedAttr = 0;
}

def Tile_RowsType : Tile_Type<"Rows", "rows"> {
  let summary = "the positions of the rows of one tile, and which of them exist";
  let description = [{
    `!tile.rows<64>`: 64 rows. `!tile.rows<64, 4>`: 16 positions of 4 neighbouring heads each, the
    head running fastest, for query heads that share their keys. `!tile.rows<64 by residue>`: rows
    that are no neighbours; how their positions follow is the order's.
  }];
  let parameters = (ins "int64_t":$size, DefaultValuedParameter<"int64_t", "1">:$heads,
                        DefaultValuedParameter<"::sparsec::tile::OrderKind", "OrderKind::Natural">:$order);
  let assemblyFormat = "`<` $size (`,` $heads^)? (`by` $order^)? `>`";
  let genVerifyDecl = 1;
}

def Tile_NumbersType : Tile_Type<"Numbers", "numbers"> {
  let summary = "32-bit integers in memory that the host worked out for one length";
  let description = "Of a token order: layout/OrderNumbers.h says which.";
}

def Tile_BlocksType : Tile_Type<"Blocks", "blocks"> {
  let summary = "a list of block indices, each full or partial";
}

def Tile_LayoutType : Tile_Type<"Layout", "layout"> {
  let summary = "the block tables of a layout, as a kernel reads them";
  let description = [{
    Which axis its rows lie on is the caller's choice: dK and dV take the transposed layout.
  }];
}

class TensorOfRank<list<int> ranks, string what> : Type<
    And<[CPred<"::llvm::isa<::mlir::RankedTensorType>($_self)">,
         CPred<"::llvm::cast<::mlir::RankedTensorType>($_self).hasStaticShape()">,
         Or<!foreach(r, ranks, CPred<"::llvm::cast<::mlir::RankedTensorType>($_self).getRank() == " # r>)>]>,
    what, "::mlir::RankedTensorType">;
class TensorOfInteger<list<int> ranks, string element, string what> : Type<
    And<[TensorOfRank<ranks, what>.predicate,
         CPred<"::llvm::cast<::mlir::RankedTensorType>($_self).getElementType()" # element>]>,
    what, "::mlir::RankedTensorType">;

def Tile_Tensor : TensorOfRank<[1, 2], "tile (tensor of static shape and rank 1 or 2)">;
def Tile_Vector : TensorOfRank<[1], "tensor of static shape and rank 1">;
def Tile_Matrix : TensorOfRank<[2], "tensor of static shape and rank 2">;
def Tile_Positions : TensorOfInteger<[1], ".isSignlessInteger(32)", "tensor of i32 of rank 1">;
def Tile_Mask : TensorOfInteger<[1, 2], ".isSignlessInteger(1)", "tensor of i1 of rank 1 or 2">;
def Tile_Floats : TensorOfInteger<[1, 2], ".isF32()", "tensor of f32 of rank 1 or 2">;
def Tile_FloatMatrix : TensorOfInteger<[2], ".isF32()", "tensor of f32 of rank 2">;

//===-- Attributes ----------------------------------------------------------------------------===//

def Tile_OrderAttr : AttrDef<Tile_Dialect, "Order"> {
  let mnemonic = "order";
  let summary = "how the positions of an axis fill its tiles";
  let description = [{
    `#tile.order<natural>`: tile i has rows i N to i N + N - 1. The others are the orders of
    layout/Order.h, whose sizes are numbers at run time.
  }];
  let parameters = (ins EnumParameter<Tile_OrderKind>:$kind);
  let assemblyFormat = "`<` $kind `>`";
}

class Tile_Enum<string cpp, string summary, list<I32EnumAttrCase> cases> : I32EnumAttr<cpp, summary, cases> {
  let cppNamespace = "::sparsec::tile";
  let genSpecializedAttr = 0;
}
class Tile_EnumAttr<I32EnumAttr base, string name> : EnumAttr<Tile_Dialect, base, name> {
  let assemblyFormat = "$value";
}

def Tile_WorkKind : Tile_Enum<"WorkKind", "what the items of a kernel's work are", [
  I32EnumAttrCase<"Rows", 0, "rows">,     // the rows of a layout, longest first
  I32EnumAttrCase<"Blocks", 1, "blocks">, // the live blocks of a layout
  I32EnumAttrCase<"Range", 2, "range">,   // 0 .. count-1
  I32EnumAttrCase<"Groups", 3, "groups">, // the rows of a layout, for all heads of a group together
]>;
def Tile_WorkKindAttr : Tile_EnumAttr<Tile_WorkKind, "work_kind">;

def Tile_BlockSet : Tile_Enum<"BlockSet", "which live blocks of a layout row", [
  I32EnumAttrCase<"All", 0, "all">,         // partial ones, then full ones
  I32EnumAttrCase<"Partial", 1, "partial">,
  I32EnumAttrCase<"Full", 2, "full">,
]>;
def Tile_BlockSetAttr : Tile_EnumAttr<Tile_BlockSet, "block_set">;

def Tile_ReduceKind : Tile_Enum<"ReduceKind", "an associative operator", [
  I32EnumAttrCase<"Max", 0, "max">,
  I32EnumAttrCase<"Sum", 1, "sum">,
]>;
def Tile_ReduceKindAttr : Tile_EnumAttr<Tile_ReduceKind, "reduce_kind">;

//===-- Kernels and work ----------------------------------------------------------------------===//

class Tile_Op<string name, list<Trait> traits = []> : Op<Tile_Dialect, name, traits>;

def Tile_KernelOp : Tile_Op<"kernel", [IsolatedFromAbove, Symbol, SingleBlock,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>]> {
  let summary = "one kernel: named arguments and a body";
  let description = [{
    ```mlir
    tile.kernel @causal(%q: !tile.view<bf16, 3>, %lse: !tile.view<f32, 2>, %layout: !tile.layout, %n: i32)
        args ["q", "lse"(optional), "layout", "n"] { ... tile.return }
    ```
    Names bind arguments to the kernel's argument struct. An optional view may be null: a store to
    it is then skipped.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrArrayAttr:$names, DenseBoolArrayAttr:$optional);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    /// The argument of this name; null when the kernel has none.
    ::mlir::BlockArgument argument(::llvm::StringRef name);
    bool isOptional(::mlir::BlockArgument argument);
  }];
}

def Tile_ReturnOp : Tile_Op<"return", [Pure, Terminator, HasParent<"KernelOp">]> {
  let summary = "the end of a kernel";
  let assemblyFormat = "attr-dict";
}

def Tile_WorkOp : Tile_Op<"work", [Pure, HasParent<"KernelOp">,
    InferTypeOpAdaptor]> {
  let summary = "this work item of the kernel";
  let description = [{
    `rows of %layout`: batch, model's head, block row, row of the layout's tables.
    `blocks of %layout`: batch, model's head, block row, block column, number of the live block.
    `range of %count`: an index.
    `groups of %layout`: batch, number of the group of heads, block row. Which heads a group has the
    kernel is told by numbers; each finds its row of the tables by `layout_row`.
    The order is the target's choice; rows come longest first.
  }];
  let arguments = (ins Tile_WorkKindAttr:$kind, AnyTypeOf<[Tile_LayoutType, I32]>:$items);
  let results = (outs Variadic<I32>:$indices);
  let assemblyFormat = "`` $kind `of` $items attr-dict `:` type($items)";
  let hasVerifier = 1;
}

def Tile_LayoutRowOp : Tile_Op<"layout_row", [Pure]> {
  let summary = "a head of the launch, and the row of the layout's tables that it has for a block row";
  let description = [{
    `%head, %r = tile.layout_row %layout[%place, %row]`: %place is the number of the head among those of the launch,
    %head its number in the model. Where the layout is the same for all heads, %r is the block row itself.
  }];
  let arguments = (ins Tile_LayoutType:$layout, I32:$place, I32:$row);
  let results = (outs I32:$head, I32:$table_row);
  let assemblyFormat = "$layout `[` $place `,` $row `]` attr-dict `:` type($layout)";
}

def Tile_NumberOp : Tile_Op<"number", [Pure]> {
  let summary = "one of the host's numbers in memory";
  let arguments = (ins Tile_NumbersType:$numbers, I32:$index);
  let results = (outs I32:$result);
  let assemblyFormat = "$numbers `[` $index `]` attr-dict";
}

//===-- Rows and positions --------------------------------------------------------------------===//

def Tile_RowsOp : Tile_Op<"rows", [Pure]> {
  let summary = "the rows of one tile of an axis";
  let description = [{
    `tile.rows #tile.order<natural>[%i] of %n : !tile.rows<64>`: the positions of tile %i of an axis
    of %n; those not below %n do not exist.
    `tile.rows #tile.order<residue>[%i] of %n by %numbers : !tile.rows<64 by residue>`: the same in
    another order, whose numbers say what its tiles are. Rows may be missing anywhere in a tile;
    their positions are 2^31 - 1.
  }];
  let arguments = (ins Tile_OrderAttr:$order, I32:$tile, I32:$length, Optional<Tile_NumbersType>:$numbers);
  let results = (outs Tile_RowsType:$rows);
  let assemblyFormat = [{
    qualified($order) `[` $tile `]` `of` $length (`by` $numbers^)? attr-dict `:` qualified(type($rows))
  }];
  let hasVerifier = 1;
}

def Tile_RowsByOp : Tile_Op<"rows_by", [Pure]> {
  let summary = "rows whose positions have two affine digits";
  let description = [{
    `tile.rows_by %base (%c0 by %p0, %c1 by %p1) : !tile.rows<64>`: row r = i c1 + j has position
    base + i p0 + j p1, for i < c0 and j < c1; rows from c0 c1 on do not exist.
  }];
  let arguments = (ins I32:$base, I32:$count0, I32:$pitch0, I32:$count1, I32:$pitch1);
  let results = (outs Tile_RowsType:$rows);
  let assemblyFormat = [{
    $base `(` $count0 `by` $pitch0 `,` $count1 `by` $pitch1 `)` attr-dict `:` qualified(type($rows))
  }];
}

def Tile_RowsAtOp : Tile_Op<"rows_at", [Pure]> {
  let summary = "rows at gathered positions";
  let description = [{
    `tile.rows_at %positions count %count : tensor<64xi32> -> !tile.rows<64 by gathered>`: row r has
    position %positions[r]. Rows from %count on do not exist, nor do those at position 2^31 - 1.
  }];
  let arguments = (ins Tile_Positions:$positions, I32:$count);
  let results = (outs Tile_RowsType:$rows);
  let assemblyFormat = "$positions `count` $count attr-dict `:` type($positions) `->` qualified(type($rows))";
  let hasVerifier = 1;
}

def Tile_PositionsOp : Tile_Op<"positions", [Pure]> {
  let summary = "the positions of rows, 0-based on their own axis";
  let arguments = (ins Tile_RowsType:$rows);
  let results = (outs Tile_Positions:$positions);
  let assemblyFormat = "$rows attr-dict `:` qualified(type($rows)) `->` type($positions)";
  let hasVerifier = 1;
}

//===-- Memory --------------------------------------------------------------------------------===//

// What load, store and accumulate share: a view, its scalar indices, rows, maybe columns.
class Tile_AccessOp<string name, list<Trait> traits, dag before, dag after = (ins)>
    : Tile_Op<name, !listconcat([AttrSizedOperandSegments], traits)> {
  let arguments = !con(before, (ins Arg<Tile_ViewType, "", []>:$view, Variadic<I32>:$indices,
                                    Tile_RowsType:$rows, Optional<Tile_RowsType>:$columns), after);
  let hasVerifier = 1;
}

def Tile_LoadOp : Tile_AccessOp<"load", [MemoryEffects<[MemRead]>], (ins)> {
  let summary = "a tile of a view; rows and columns that do not exist read as 0";
  let description = "Integers of 8 and 16 bits are unsigned and widened: a view of i8 gives a tile of i32.";
  let results = (outs Tile_Tensor:$result);
  let assemblyFormat = [{
    $view `[` custom<Access>($indices, $rows, $columns) `]` attr-dict `:`
    custom<AccessTypes>(type($view), type($rows), type($columns)) `->` type($result)
  }];
}

def Tile_StoreOp : Tile_AccessOp<"store", [MemoryEffects<[MemWrite]>], (ins Tile_Tensor:$value), (ins UnitAttr:$streaming)> {
  let summary = "writes a tile to a view; rows and columns that do not exist are not written";
  let description = "`{streaming}`: nobody reads it while what was written since would fit a cache.";
  let assemblyFormat = [{
    $value `,` $view `[` custom<Access>($indices, $rows, $columns) `]` attr-dict `:`
    type($value) `,` custom<AccessTypes>(type($view), type($rows), type($columns))
  }];
}

def Tile_AccumulateOp : Tile_AccessOp<"accumulate", [MemoryEffects<[MemRead, MemWrite]>],
                                      (ins Tile_Tensor:$value), (ins Optional<I32>:$ticket)> {
  let summary = "adds a tile to a view, repeatably";
  let description = [{
    `exclusive`: no other work item touches these rows. `ordered(%ticket)`: adds to the same rows
    happen in the order of their tickets. Never an unordered atomic.
  }];
  let assemblyFormat = [{
    $value `,` $view `[` custom<Access>($indices, $rows, $columns) `]`
    (`ordered` `(` $ticket^ `)`) : (`exclusive`)? attr-dict `:`
    type($value) `,` custom<AccessTypes>(type($view), type($rows), type($columns))
  }];
}

def Tile_ScalarOp : Tile_Op<"scalar", [MemoryEffects<[MemRead]>]> {
  let summary = "a number in memory";
  let description = [{
    `%rate = tile.scalar %state[%i] : !tile.view<f32, 0> -> f32`: f32, i32 or i64. What changes from
    launch to launch (a learning rate, a step, a seed, a loss scale, a length) is read so: by value
    it would be fixed in a captured graph.
  }];
  let arguments = (ins Tile_ViewType:$view, I32:$index);
  let results = (outs AnyTypeOf<[F32, I32, I64]>:$result);
  let assemblyFormat = "$view `[` $index `]` attr-dict `:` qualified(type($view)) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_StoreScalarOp : Tile_Op<"store_scalar", [MemoryEffects<[MemWrite]>]> {
  let summary = "writes a number to memory, once for the work item";
  let description = [{
    `tile.store_scalar %step, %state[%i] : i32, !tile.view<i32, 0>`, after all that the item read
    before it. Nothing in the kernel may read it again.
  }];
  let arguments = (ins AnyTypeOf<[F32, I32, I64]>:$value, Tile_ViewType:$view, I32:$index);
  let assemblyFormat = "$value `,` $view `[` $index `]` attr-dict `:` type($value) `,` qualified(type($view))";
  let hasVerifier = 1;
}

//===-- Block lists and the fold --------------------------------------------------------------===//

def Tile_BlocksOp : Tile_Op<"blocks", [Pure]> {
  let summary = "live blocks of one row of a layout";
  let description = [{
    `slice %i, %n`: part i of n of the row's list, partial ones and full ones together: of c blocks those from
    place c i / n on, before place c (i + 1) / n. So a long row is work for several items.
  }];
  let arguments = (ins Tile_BlockSetAttr:$set, Tile_LayoutType:$layout, I32:$row, Variadic<I32>:$slice);
  let results = (outs Tile_BlocksType:$blocks);
  let assemblyFormat = "`` $set $layout `[` $row `]` (`slice` $slice^)? attr-dict `:` qualified(type($blocks))";
  let builders = [OpBuilder<(ins "BlockSet":$set, "::mlir::Value":$layout, "::mlir::Value":$row), [{
    build($_builder, $_state, set, layout, row, ::mlir::ValueRange());
  }]>];
  let hasVerifier = 1;
}

def Tile_RangeOp : Tile_Op<"range", [Pure]> {
  let summary = "the blocks %low .. %high - 1, all of them full";
  let arguments = (ins I32:$low, I32:$high);
  let results = (outs Tile_BlocksType:$blocks);
  let assemblyFormat = "$low `to` $high attr-dict `:` qualified(type($blocks))";
}

def Tile_FoldOp : Tile_Op<"fold", [RecursiveMemoryEffects, RecursivelySpeculatable,
    SingleBlock, DeclareOpInterfaceMethods<LoopLikeOpInterface>,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>]> {
  let summary = "a fold over a block list, in the order of the list";
  let description = [{
    ```mlir
    %sum = tile.fold %j in %blocks init(%zero) : tensor<64x64xf32>
      fetch { ... tile.yield %rows, %k }              // of block %j: loads, no carries
      lead(%rows, %k) { ... tile.yield %s }           // compute that needs no carries
      step(%rows, %k, %s, %acc) { ... tile.yield %next }
    ```
    What a machine may do follows from the regions: `fetch` may run any number of blocks ahead, by
    other threads; `lead` may run one block ahead; `step` runs in order. `lead` takes what `fetch`
    yields; `step` takes what `fetch` yields, what `lead` yields, and the carries; its yields are
    the next carries. Types of the arguments follow from the yields and are not written.
  }];
  let arguments = (ins Tile_BlocksType:$blocks, Variadic<AnyType>:$init);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region SizedRegion<1>:$fetch, SizedRegion<1>:$lead, SizedRegion<1>:$step);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::BlockArgument getBlockIndex() { return getFetch().getArgument(0); }
    YieldOp fetchYield();
    YieldOp leadYield();
    YieldOp stepYield();
    /// The arguments of `step` that hold the carries.
    ::mlir::Block::BlockArgListType carries();
  }];
}

def Tile_YieldOp : Tile_Op<"yield", [Pure, Terminator, ReturnLike, HasParent<"FoldOp">]> {
  let summary = "the values of a region of a fold";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
}

//===-- Tiles ---------------------------------------------------------------------------------===//

def Tile_SplatOp : Tile_Op<"splat", [Pure]> {
  let summary = "a tile with every element equal to a scalar";
  let arguments = (ins AnyTypeOf<[AnySignlessInteger, AnyFloat]>:$scalar);
  let results = (outs Tile_Tensor:$result);
  let assemblyFormat = "$scalar attr-dict `:` type($scalar) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_ExpandOp : Tile_Op<"expand", [Pure]> {
  let summary = "repeats a vector along a new dimension";
  let description = "`{dim = 1}`: element (i, j) is element i of the input; `{dim = 0}`: element j.";
  let arguments = (ins Tile_Vector:$input, I64Attr:$dim);
  let results = (outs Tile_Matrix:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_TransposeOp : Tile_Op<"transpose", [Pure]> {
  let summary = "rows and columns exchanged";
  let arguments = (ins Tile_Matrix:$input);
  let results = (outs Tile_Matrix:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_ReduceOp : Tile_Op<"reduce", [Pure]> {
  let summary = "max or sum along a dimension, which goes away";
  let arguments = (ins Tile_ReduceKindAttr:$kind, Tile_Tensor:$input, I64Attr:$dim);
  let results = (outs AnyTypeOf<[Tile_Vector, AnyFloat, AnySignlessInteger]>:$result);
  let assemblyFormat = "`` $kind $input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_ScanOp : Tile_Op<"scan", [Pure]> {
  let summary = "max or sum of the elements up to each one, along a dimension";
  let arguments = (ins Tile_ReduceKindAttr:$kind, Tile_Tensor:$input, I64Attr:$dim, UnitAttr:$exclusive);
  let results = (outs Tile_Tensor:$result);
  let assemblyFormat = "`` $kind $input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_DotOp : Tile_Op<"dot", [Pure]> {
  let summary = "a matrix product, accumulated in f32";
  let description = [{
    lhs is M x K (K x M with `lhs_t`), rhs is K x N (N x K with `rhs_t`), both of one element type:
    f16, bf16 or f32, which is not rounded to tf32.
  }];
  let arguments = (ins Tile_Matrix:$lhs, Tile_Matrix:$rhs, Optional<Tile_FloatMatrix>:$acc,
                       UnitAttr:$lhs_t, UnitAttr:$rhs_t);
  let results = (outs Tile_FloatMatrix:$result);
  let assemblyFormat = [{
    $lhs `,` $rhs (`acc` `(` $acc^ `:` type($acc) `)`)? attr-dict `:`
    type($lhs) `,` type($rhs) `->` type($result)
  }];
  let hasVerifier = 1;
}

//===-- Patterns ------------------------------------------------------------------------------===//

def Tile_PredicateOp : Tile_Op<"predicate", [Pure]> {
  let summary = "the truth of a pattern at the positions of a tile";
  let description = [{
    Rows are queries and columns keys; with `keys_first` the other way round. `q` are positions on
    the common axis (row + q0), `k` rows of the keys' axis. False where k is not below n.
  }];
  let arguments = (ins Sparsec_PatternAttr:$pattern, I32:$head, Tile_Positions:$q, Tile_Positions:$k,
                       I32:$n, I32:$nq, UnitAttr:$keys_first);
  let results = (outs Tile_Mask:$result);
  let assemblyFormat = [{
    qualified($pattern) `(` $head `,` $q `,` $k `,` $n `,` $nq `)` attr-dict `:`
    type($q) `,` type($k) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Tile_LookupOp : Tile_Op<"lookup", !listconcat([Pure, AllTypesMatch<["index", "result"]>], ElementwiseMappable.traits)> {
  let summary = "the entries of a constant table at indices";
  let description = [{
    `%end = tile.lookup [5, 9, 40] at %i : tensor<64xi32>`: element by element. What lies outside the
    table has no value: indices come from a search that stays inside.
  }];
  let arguments = (ins DenseI32ArrayAttr:$table, AnyTypeOf<[I32, TensorOfInteger<[1, 2], ".isSignlessInteger(32)", "tensor of i32 of rank 1 or 2">]>:$index);
  let results = (outs AnyTypeOf<[I32, TensorOfInteger<[1, 2], ".isSignlessInteger(32)", "tensor of i32 of rank 1 or 2">]>:$result);
  let assemblyFormat = "$table `at` $index attr-dict `:` type($index)";
}

def Tile_MaskOp : Tile_Op<"mask", [Pure, AllTypesMatch<["scores", "result"]>]> {
  let summary = "the scores where attended, else -inf; the scores themselves in a full block";
  let arguments = (ins Tile_Floats:$scores, Tile_Mask:$attend);
  let results = (outs Tile_Floats:$result);
  let assemblyFormat = "$scores `,` $attend attr-dict `:` type($scores) `,` type($attend)";
  let hasVerifier = 1;
}

//===-- Random numbers and counters -----------------------------------------------------------===//

def Tile_RandomOp : Tile_Op<"random", [Pure]> {
  let summary = "32 random bits for each pair of positions, a function of seed and positions alone";
  let description = [{
    Those of randomBits(seed, row, column) in kernel/Random.h, the same on every target. Without
    columns a vector: those of column 0.
  }];
  let arguments = (ins I64:$seed, Tile_Positions:$rows, Optional<Tile_Positions>:$columns);
  let results = (outs TensorOfInteger<[1, 2], ".isSignlessInteger(32)", "tensor of i32 of rank 1 or 2">:$result);
  let assemblyFormat = [{
    $seed `(` $rows (`,` $columns^)? `)` attr-dict `:` type($rows) (`,` type($columns)^)? `->` type($result)
  }];
  let hasVerifier = 1;
}

def Tile_CountOp : Tile_Op<"count", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "adds to a counter of the launch, for kernels compiled with counters";
  let arguments = (ins StrAttr:$counter, I32:$by);
  let assemblyFormat = "$counter `by` $by attr-dict";
}

#endif
