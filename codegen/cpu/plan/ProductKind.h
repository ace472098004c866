// The kinds of product: how a tile.dot is computed on some level.
//
//   kind        takes                             its operands lie
//   amx         bf16, AMX's tile registers        in pairs along the sum, filled up to whole tiles
//   bf16 pairs  bf16, AVX512-BF16                 in pairs along the sum
//   f32         every product                     as they are
//
// A kind is one file in codegen/cpu/products/ and one row of its table, which is in the order of
// preference. Its first half, here, is asked while a kernel is planned; the second half writes it
// (emit/ProductEmission.h). An operand may lie in a form of the kind's own beside the tile itself:
// a load makes it of memory, or a loop over the rows of a computed tile packs it, a few rows at
// once.
#pragma once

#include "codegen/cpu/plan/LoopPlan.h"

#include <span>

namespace sparsec::cpu {

struct OperandEmission;
struct ProductEmission;

/// A form in which products take an operand.
struct OperandForm {
  const char *name;
  /// Where a tile of this type lies in this form; the dimension is that of the lanes.
  Place (*place)(const Panels &panels, mlir::RankedTensorType tile, int laneDim);
  int rowsAtOnce = 1; ///< of a computed tile, that are packed together
  const OperandEmission *emission;
};

/// What a kind is asked about.
struct AskedProduct {
  const Dataflow &flow;
  const Dimensions &dims;
  tile::DotOp dot;
  DotOperands operands;
  mlir::Value lanes, broadcast; ///< the operands themselves

  AskedProduct(const Dataflow &flow, const Dimensions &dims, tile::DotOp dot)
      : flow(flow), dims(dims), dot(dot), operands(dotOperands(dot, dims)),
        lanes(flow.resolve(operands.lanes)), broadcast(flow.resolve(operands.broadcast)) {}
};

enum class Side : uint8_t { Lanes, Broadcast };

struct ProductKind {
  const char *name;
  bool (*isOn)(const Level &level);
  /// Whether it takes the product; `sweeps` are those of its group.
  bool (*takes)(const AskedProduct &product, llvm::ArrayRef<Sweep> sweeps);
  /// The form that an operand lies in for it; null: as any tile.
  const OperandForm *(*formOf)(const AskedProduct &product, Side side) = nullptr;
  int panel = 0;              ///< lanes of a panel that it wants; 0: the level's
  bool sumsInMemory = false;  ///< its sums go through memory, not through registers alone
  bool leavesOutRows = false; ///< it can sum a part of the rows of its operands (Masks.cpp)
  const ProductEmission *emission;
};

/// Those that there are, the first that takes a product computes it.
std::span<const ProductKind *const> productKinds();

} // namespace sparsec::cpu
