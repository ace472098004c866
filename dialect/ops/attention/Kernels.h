// What attention's kernels share: their sizes, token orders and rows.
#pragma once

#include "dialect/Ops.h"
#include "dialect/ops/KernelWriter.h"

namespace sparsec::ops {

/// A size of an attention op: a multiple of 16 from 16 to `most`.
struct AttentionSize {
  llvm::StringRef name;
  int64_t size, most;
  AttentionSize(llvm::StringRef name, uint64_t size, int64_t most)
      : name(name), size(static_cast<int64_t>(size)), most(most) {}
};

/// The element type and sizes of an attention op.
template <class Op>
mlir::LogicalResult verifyAttention(Op op, llvm::ArrayRef<AttentionSize> sizes) {
  mlir::Type type = op.getDtype();
  if (!type.isF16() && !type.isBF16() && !type.isF32())
    return op.emitOpError() << "expected dtype f16, bf16 or f32, found " << type;
  for (const AttentionSize &each : sizes)
    if (each.size < 16 || each.size > each.most || each.size % 16 != 0)
      return op.emitOpError() << "expected " << each.name << " to be a multiple of 16 from 16 to "
                              << each.most << ", found " << each.size;
  return mlir::success();
}

template <class Op>
mlir::LogicalResult verifySizes(Op op) {
  return verifyAttention(op, {{"head_dim", op.getHeadDim(), 256},
                              {"value_dim", op.getValueDim(), 256},
                              {"block_q", op.getBlockQ(), 128},
                              {"block_k", op.getBlockK(), 128}});
}

/// The state of the online softmax of each row: over the scores s seen so far (in units of ln 2),
/// m = max s, l = sum of 2^(s - m), o = sum of 2^(s - m) v. Where m is -inf, l and o are 0.
struct Softmax {
  mlir::Value m, l, o;
};

/// Writes kernels of attention: the sizes of the op, and rows of its two axes.
class AttentionWriter : protected KernelWriter {
protected:
  template <class Op>
  AttentionWriter(Op op, mlir::OpBuilder &builder)
      : KernelWriter(op.getLoc(), builder), pattern(op.getPattern()), dtype(op.getDtype()),
        headDim(op.getHeadDim()), valueDim(op.getValueDim()), blockQ(op.getBlockQ()),
        blockK(op.getBlockK()), queryOrder(kindOf(op.getQueriesAttr())),
        keyOrder(kindOf(op.getKeysAttr())) {}

  static tile::OrderKind kindOf(tile::OrderAttr order) {
    return order ? order.getKind() : tile::OrderKind::Natural;
  }

  tile::ViewType matrices() { return b.view(dtype, 3); }
  tile::ViewType sums() { return b.view(b.getF32Type(), 3); }
  tile::ViewType perRow() { return b.view(b.getF32Type(), 2); }
  /// The numbers of the orders, the layout, lengths.
  void addAxes();
  mlir::Value queryRows(mlir::Value tile) {
    return rowsOf("query", queryOrder, tile, "nq", blockQ);
  }
  mlir::Value keyRows(mlir::Value tile) { return rowsOf("key", keyOrder, tile, "n", blockK); }
  /// Of query rows, on the common axis.
  mlir::Value queryPositions(mlir::Value rows);

  Softmax nothingSeen();
  /// With a block of scores and its values.
  Softmax update(const Softmax &before, mlir::Value scores, mlir::Value values);
  /// What both have seen.
  Softmax merge(const Softmax &a, const Softmax &b);
  /// A row's sum, 1 where it has no keys: then o = 0 and m = -inf give 0 and -inf.
  mlir::Value sumOf(const Softmax &softmax);
  mlir::Value outOf(const Softmax &softmax, mlir::Value sum); ///< in dtype
  mlir::Value lseOf(const Softmax &softmax, mlir::Value sum);

  PatternAttr pattern;
  mlir::Type dtype;
  int64_t headDim, valueDim, blockQ, blockK;
  tile::OrderKind queryOrder, keyOrder;

private:
  /// m where a row has met a key, else 0: -inf - -inf has no value, -inf - 0 gives the 0 it should.
  mlir::Value base(mlir::Value m);
  mlir::Value rowsOf(llvm::StringRef axis, tile::OrderKind order, mlir::Value tile,
                     llvm::StringRef length, int64_t size);
};

inline constexpr float kLog2e = 1.4426950408889634f;
inline constexpr float kLn2 = 0.69314718055994531f;

} // namespace sparsec::ops
