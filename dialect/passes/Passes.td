// The passes over tile programs, free of any target, in the order the compiler runs them.
#ifndef SPARSEC_DIALECT_PASSES
#define SPARSEC_DIALECT_PASSES

include "mlir/Pass/PassBase.td"

def ExpandOps : Pass<"expand-ops", "::mlir::ModuleOp"> {
  let summary = "operations become the tile programs they own";
  let description = [{
    Every op with KernelOpInterface is replaced by its kernels.
    Before: `sparsec.attention @a ...`. After: `tile.kernel @a(...) ...`, one fold over all live blocks.
  }];
  let dependentDialects = ["::sparsec::tile::TileDialect", "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect", "::mlir::scf::SCFDialect"];
}

def SplitFullBlocks : Pass<"split-full-blocks", "::sparsec::tile::KernelOp"> {
  let summary = "full blocks get a fold of their own, without a mask";
  let description = [{
    A fold over `tile.blocks all` that asks for a pattern becomes a fold over the partial blocks and
    one over the full ones, which goes on from the carries of the first; there the pattern holds, so
    its masks are dropped. Before lower-predicates, which takes away what says where a mask is from.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def ScaleOperands : Pass<"scale-operands", "::sparsec::tile::KernelOp"> {
  let summary = "a factor of a fold's product moves to the operand that stays the same";
  let description = [{
    `arith.mulf` of a `tile.dot` of f32 tiles and a scalar becomes the `tile.dot` of a tile that is
    multiplied once, before the fold, where one of its operands is known there.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def LowerPredicates : Pass<"lower-predicates", "::sparsec::tile::KernelOp"> {
  let summary = "patterns become integer arithmetic on positions";
  let description = [{
    `tile.predicate` becomes arith on tensors: what depends on queries or keys alone stays of rank 1
    until it must meet the other, and 32 bits are used wherever no value can leave them.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def LowerRandom : Pass<"lower-random", "::sparsec::tile::KernelOp"> {
  let summary = "random bits become integer arithmetic on positions";
  let description = [{
    `tile.random` becomes the rounds of kernel/Random.h in arith on tensors: additions, rotations and
    exclusive ors, the same bits on every target.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

#endif
