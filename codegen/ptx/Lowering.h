// What the patterns of warp-to-llvm share: how values of a block become values of one thread.
//
//   tensor<64x64xf32, #warp.accumulator<warps = 4>>   vector<32xf32>, in the order of Fragments
//   tensor<64x64xbf16, #warp.lhs<warps = 4>>          vector<16xi32>: pairs, as mma takes them
//   tensor<64xi32, #warp.slice<rows, ...>>           vector<2xi32>
//   !tile.view<bf16, 3>            struct<(ptr<1>, i64, i64, i64)>
//   !tile.numbers                  ptr<1>
//   !tile.rows<64>                 struct<(i32 first, i32 length)>
//   !tile.rows<64 by residue>      struct<(i32 first, i32 length, i32 counts, ptr<1> rows)>
//   !tile.rows<64 by gathered>     struct<(vector<32xi32>, i32 count)>: of the thread's rows
//   !tile.layout                   struct of LayoutField (common/LayoutFields.h)
//   !warp.block_list               struct<(ptr<1> columns, ptr<1> runs, i32 first[5], end[4])>
//   !warp.buffer<...>              i32: byte offset in shared memory
//
// `runs` is null where columns are listed; the last run ends where the list does.
#pragma once

#include "codegen/common/LayoutFields.h"
#include "codegen/common/ScalarBuilder.h"
#include "codegen/ptx/Fragments.h"
#include "codegen/ptx/Nvvm.h"
#include "codegen/ptx/Passes.h"
#include "codegen/ptx/Warp.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/DialectConversion.h"

namespace sparsec {

inline constexpr unsigned kGlobalSpace = 1;
inline constexpr unsigned kSharedSpace = 3;
/// The block's dynamic shared memory.
inline constexpr llvm::StringLiteral kSharedSymbol = "sparsec_shared";

/// The types above.
class ThreadTypes : public mlir::TypeConverter {
public:
  explicit ThreadTypes(mlir::MLIRContext *context);
};

/// Emits what one thread does: scalar arithmetic (common/ScalarBuilder.h) with constants folded as
/// it goes, the thread's place in the block, vectors taken apart and put together.
class ThreadEmitter : public mlir::ImplicitLocOpBuilder {
public:
  using Scalar = mlir::Value;

  ThreadEmitter(mlir::Operation *op, mlir::OpBuilder &builder);

  int warps() const { return warpCount; }
  int threads() const { return 32 * warpCount; }
  mlir::Value thread();
  mlir::Value lane() { return bitAnd(thread(), 31); }
  mlir::Value warp() { return shiftRight(thread(), 5); }
  /// Row of the block's tile at which this warp begins; column.
  mlir::Value warpRow(const fragments::Fragment &held);
  mlir::Value warpColumn(const fragments::Fragment &held);
  /// Row of the block's tile at which this thread begins; column.
  mlir::Value firstRow(const fragments::Fragment &held);
  mlir::Value firstColumn(const fragments::Fragment &held);
  /// A lane map's row and column for this lane.
  mlir::Value laneRow(const fragments::LaneMap &map);
  mlir::Value laneColumn(const fragments::LaneMap &map);

  mlir::Value i32(int64_t value);
  mlir::Value i64(int64_t value);
  mlir::Value wide(mlir::Value value); ///< i32 to i64, sign-extended
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value add(mlir::Value a, int64_t b);
  mlir::Value multiply(mlir::Value a, mlir::Value b);
  mlir::Value multiply(mlir::Value a, int64_t b);
  mlir::Value bitAnd(mlir::Value a, mlir::Value b);
  mlir::Value bitAnd(mlir::Value a, int64_t mask);
  mlir::Value bitOr(mlir::Value a, int64_t b);
  mlir::Value bitXor(mlir::Value a, mlir::Value b);
  mlir::Value bitXor(mlir::Value a, int64_t b);
  mlir::Value shiftLeft(mlir::Value a, int bits);
  mlir::Value shiftRight(mlir::Value a, int bits);
  mlir::Value divide(mlir::Value a, int64_t b);    ///< unsigned
  mlir::Value remainder(mlir::Value a, int64_t b); ///< unsigned
  /// Quotient and rest by a divisor (layout/Divisor.h) among the numbers at `pointer`.
  std::pair<mlir::Value, mlir::Value> divideBy(mlir::Value a, mlir::Value pointer, int64_t index,
                                               bool invariant = true);
  mlir::Value subtract(mlir::Value a, mlir::Value b);
  mlir::Value least(mlir::Value a, mlir::Value b); ///< signed
  mlir::Value most(mlir::Value a, mlir::Value b);  ///< signed
  mlir::Value equal(mlir::Value a, int64_t b);
  mlir::Value less(mlir::Value a, mlir::Value b); ///< signed, as the next two
  mlir::Value atLeast(mlir::Value a, mlir::Value b);
  mlir::Value greater(mlir::Value a, int64_t b);
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b);
  mlir::Value isNull(mlir::Value pointer);
  /// a < b as unsigned numbers: false for positions that wrapped.
  mlir::Value below(mlir::Value a, mlir::Value b);

  /// What the way that is taken returns; both return as many of the same types.
  using Way = llvm::function_ref<mlir::SmallVector<mlir::Value>()>;
  mlir::SmallVector<mlir::Value> choose(mlir::Value condition, Way then, Way otherwise);
  /// What follows happens where `condition` holds, up to the end of an InsertionGuard.
  void when(mlir::Value condition);
  /// The value, 0 where `exists` does not hold: an address of what exists is formed in any case.
  mlir::Value orZero(mlir::Value exists, mlir::Value value);

  mlir::Value field(mlir::Value aggregate, int64_t index);
  mlir::Value element(mlir::Value vector, int64_t index);
  mlir::SmallVector<mlir::Value> elements(mlir::Value vector);
  mlir::Value pack(llvm::ArrayRef<mlir::Value> elements);
  /// A vector's elements in another order: result[i] = vector[order[i]].
  mlir::Value shuffle(mlir::Value vector, llvm::ArrayRef<int32_t> order);

  /// Address of a byte offset in shared memory, plus a constant that becomes an immediate.
  mlir::Value shared(mlir::Value offset, int64_t constant = 0);
  /// A 32-bit integer in global memory. `invariant`: one that no kernel writes while this one runs;
  /// it may then be kept in a register.
  mlir::Value number(mlir::Value pointer, int64_t index, bool invariant = true);
  /// pointer + bytes.
  mlir::Value advance(mlir::Value pointer, mlir::Value bytes);
  mlir::Value advance(mlir::Value pointer, int64_t bytes);
  mlir::Value shuffleQuad(mlir::Value value, mlir::Value lane); ///< value of a lane of the quad
  mlir::Value shuffleXor(mlir::Value value, int mask);

private:
  int warpCount;
};

static_assert(ScalarBuilder<ThreadEmitter>);

/// Where rows of a buffer lie: an offset for the rows and chunks of a lane, and constants beside.
///
/// rowOffset(row, chunk) of a swizzled buffer is (lane part xor constant) + constant as long as the
/// constant row is a multiple of 8: so one address register serves all rows and every eighth chunk.
class BufferAddress {
public:
  /// The lane's row and 16-byte chunk. Chunks added later must not carry into the lane's: the
  /// lane's chunk is below `chunkUnit`, a power of two that divides constant chunks.
  BufferAddress(ThreadEmitter &emit, warp::BufferType type, mlir::Value buffer, mlir::Value row,
                mlir::Value chunk);
  /// Pointer to (lane row + row, lane chunk + chunk), row a multiple of 8.
  mlir::Value at(int row, int chunk, int extraBytes = 0);

private:
  ThreadEmitter &emit;
  warp::BufferType type;
  mlir::Value lanes; ///< offset of the lane's row and chunk
  llvm::SmallDenseMap<int, mlir::Value> variants;
};

/// Rows that a thread can hold of a tile whose rows are gathered.
inline constexpr int kGatheredRows = 32;

/// Positions of the rows of a tile.
class RowPositions {
public:
  /// `held`: what the thread holds of the rows, for those that are gathered.
  RowPositions(ThreadEmitter &emit, tile::RowsType type, mlir::Value rows,
               const fragments::Fragment *held = nullptr)
      : emit(emit), type(type), rows(rows) {
    if (held)
      registers = fragments::rowsOf(*held).registers;
  }

  struct Row {
    mlir::Value position; ///< any number where there is none
    mlir::Value exists;
  };
  /// Of row `row` + `constant`; the rows are 0 .. size - 1.
  Row at(mlir::Value row, int64_t constant = 0);
  /// The same, 2^31 - 1 or beyond the end where there is none.
  mlir::Value position(mlir::Value row, int64_t constant = 0);

  /// Whether the axis has a position at all; where it has, position 0 is one.
  mlir::Value mayExist() { return emit.greater(emit.field(rows, 1), 0); }

  bool isNatural() const { return type.getOrder() == tile::OrderKind::Natural; }
  /// Then `row` is the thread's first row and `constant` that of a register.
  bool isGathered() const { return type.getOrder() == tile::OrderKind::Gathered; }

private:
  ThreadEmitter &emit;
  tile::RowsType type;
  mlir::Value rows;
  std::vector<fragments::Coordinate> registers;
};

/// Of one element in memory.
inline int64_t bytesOf(mlir::Type element) {
  return element.getIntOrFloatBitWidth() / 8;
}
/// Address of (indices, row 0) of a view: 64-bit arithmetic throughout.
mlir::Value baseAddress(ThreadEmitter &emit, mlir::Value view, mlir::ValueRange indices,
                        int64_t elementBytes);

/// A number of a view, or a vector of them, as tiles hold it: integers of fewer than 32 bits are
/// unsigned and widened.
mlir::Value readElements(ThreadEmitter &emit, mlir::Type type, mlir::Value address);
/// Whether every row of a view begins on a multiple of `bytes`, a power of two.
mlir::Value isAligned(ThreadEmitter &emit, mlir::Value view, tile::ViewType type, int64_t bytes);

void populateBlockPatterns(mlir::RewritePatternSet &patterns, const ThreadTypes &types);
void populateColumnPatterns(mlir::RewritePatternSet &patterns, const ThreadTypes &types);
void populateElementwisePatterns(mlir::RewritePatternSet &patterns, const ThreadTypes &types);
void populateMemoryPatterns(mlir::RewritePatternSet &patterns, const ThreadTypes &types);
void populateReductionPatterns(mlir::RewritePatternSet &patterns, const ThreadTypes &types);
void populateRowPatterns(mlir::RewritePatternSet &patterns, const ThreadTypes &types);

/// By cp.async, ldmatrix and mma.sync.
namespace sm80 {
void populateCopyPatterns(mlir::RewritePatternSet &patterns, const ThreadTypes &types);
void populateProductPatterns(mlir::RewritePatternSet &patterns, const ThreadTypes &types);
} // namespace sm80

} // namespace sparsec
