// What attention's kernels share: their sizes, token orders and rows.
#pragma once

#include "dialect/Ops.h"
#include "dialect/ops/KernelWriter.h"

namespace sparsec::ops {

/// The element type and sizes of an attention op.
template <class Op>
mlir::LogicalResult verifySizes(Op op) {
  mlir::Type type = op.getDtype();
  if (!type.isF16() && !type.isBF16() && !type.isF32())
    return op.emitOpError() << "expected dtype f16, bf16 or f32, found " << type;
  auto verifySize = [&](llvm::StringRef what, int64_t size, int64_t most) -> mlir::LogicalResult {
    if (size >= 16 && size <= most && size % 16 == 0)
      return mlir::success();
    return op.emitOpError() << "expected " << what << " to be a multiple of 16 from 16 to " << most
                            << ", found " << size;
  };
  return mlir::success(succeeded(verifySize("head_dim", op.getHeadDim(), 256)) &&
                       succeeded(verifySize("value_dim", op.getValueDim(), 256)) &&
                       succeeded(verifySize("block_q", op.getBlockQ(), 128)) &&
                       succeeded(verifySize("block_k", op.getBlockK(), 128)));
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
