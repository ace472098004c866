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

  PatternAttr pattern;
  mlir::Type dtype;
  int64_t headDim, valueDim, blockQ, blockK;
  tile::OrderKind queryOrder, keyOrder;

private:
  mlir::Value rowsOf(llvm::StringRef axis, tile::OrderKind order, mlir::Value tile,
                     llvm::StringRef length, int64_t size);
};

inline constexpr float kLog2e = 1.4426950408889634f;
inline constexpr float kLn2 = 0.69314718055994531f;

} // namespace sparsec::ops
