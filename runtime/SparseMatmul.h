// A layer whose weights are block-sparse as a call: one of its products
// (kernel/ops/SparseMatmul.h).
//
//   SparseMatmulRequest request{.entry = "up", .attend = ..., .dtype = DType::F32, .block = {64, 64}, ...};
//   SparseMatmul up = *SparseMatmul::load(device, *compile(request), request);
//   up.prepare(in, out);                   which blocks are live: up.blocks() of them
//   up.launch({.tokens = 4096, .in = in, .out = out, .x = ..., .w = ..., .y = ...});
//
// The call is a dense layer's (runtime/Matmul.h) but for w and dw: [blocks, block.q, block.k] in
// the order of blocks(), of which Tensor::stride[1] is that of a block and stride[2] that of a row.
//
// Refused, as input errors that name the argument: what LoadedKernel.h refuses.
#pragma once

#include "kernel/ops/SparseMatmul.h"
#include "runtime/Matmul.h"

namespace sparsec {

/// A live block of weights: of outputs and of inputs.
struct WeightBlock {
  int32_t row = 0, column = 0;
  bool operator==(const WeightBlock &) const = default;
};

/// Must not outlive the device.
class SparseMatmul {
public:
  /// `kernels`: those of the request, in its order.
  static Result<SparseMatmul> load(Device &device, std::vector<Kernel> kernels,
                                   const SparseMatmulRequest &request);
  const SparseMatmulRequest &request() const { return asked; }

  /// Works out and uploads which blocks are live, if it is not there yet.
  Result<void> prepare(int64_t in, int64_t out);
  /// Of the sizes that were prepared: row after row, columns rising.
  std::span<const WeightBlock> blocks() const { return list; }
  /// What a call needs while it runs, of the sizes that were prepared: partial sums, or the weights
  /// with 0 where the predicate does not attend.
  size_t workspaceBytes(int64_t tokens) const;
  /// In device memory, for the sizes that were prepared.
  size_t residentBytes() const;
  /// Enqueues its launches, none when there is nothing to write.
  Result<void> launch(const MatmulCall &call);

private:
  /// How the tokens of a gradient are cut.
  struct Ranges {
    int64_t steps = 0, count = 1, each = 0; ///< chunks of tokens; ranges; chunks of a range
    size_t partBytes = 0;                   ///< of the sums of all ranges
  };
  struct Numbers {
    Buffer rowStarts, rowOf, columnOf, columnStarts, columnPlaces;
  };

  Ranges rangesOf(int64_t tokens) const;
  int64_t live() const { return static_cast<int64_t>(list.size()); }
  int64_t tilesOfTokens(int64_t tokens) const { return tilesOf(tokens, tokensOf(asked)); }
  MatrixArgument blocksOf(const Tensor &tensor, DType type, MatrixArgument::Use use) const;
  /// w, or a copy of it in the workspace.
  Result<Tensor> weights(const MatmulCall &call, DeviceAddress room) const;
  Result<void> forward(const MatmulCall &call, const Tensor &w) const;
  Result<void> inputGradient(const MatmulCall &call, const Tensor &w) const;
  Result<void> weightGradient(const MatmulCall &call, DeviceAddress parts) const;
  Result<void> biasGradient(const MatmulCall &call, DeviceAddress parts) const;

  Device *device = nullptr;
  SparseMatmulRequest asked;
  std::vector<LoadedKernel> kernels;
  Workspace workspace;
  int64_t readyIn = -1, readyOut = -1;
  bool isWhole = true; ///< every element of every live block attends
  std::vector<WeightBlock> list;
  Numbers numbers;
};

} // namespace sparsec
