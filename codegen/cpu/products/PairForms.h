// Tiles of bf16 as pairs along the dimension that a product sums, two neighbours in an i32, the
// first one low:
//
//   a tile in memory    a b c d    pairs transposed   ab ef     interleaved   ae bf cg dh
//                       e f g h                       cd gh
//
// Transposed: the sum goes along memory's rows, whose pairs are there already, and memory's rows
// become lanes. Interleaved: it goes from row to row, so rows are taken two by two. Packed: what a
// loop over the rows of a computed tile makes, two rows at once. Rows of pairs are filled up with
// zeros to a multiple of `whole`.
#pragma once

#include "codegen/cpu/plan/ProductKind.h"

namespace llvm {
class Value;
}

namespace sparsec::cpu {

struct PairForms {
  OperandForm transposed, interleaved, packed;
};
/// With rows as they are, and filled up to AMX's tiles.
extern const PairForms kPairForms, kWholePairForms;
constexpr int64_t kWholePairs = 16; ///< rows of pairs in a tile register

/// Whether the operands of a product can lie in pairs: loads of bf16 as they lie in memory, or the
/// one across lanes rounded in a loop over its rows.
bool takesPairs(const AskedProduct &product, llvm::ArrayRef<Sweep> sweeps);
/// Whether the sum goes along memory's columns of an operand.
bool sumsAlongRows(const DotOperands &operands, Side side);
const OperandForm *pairsAcrossLanes(const AskedProduct &product, const PairForms &forms);

class Code;
/// `width` pairs of two rows of memory.
llvm::Value *rowPair(Code &code, llvm::Value *low, llvm::Value *high, int width);

} // namespace sparsec::cpu
