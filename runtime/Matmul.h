// A dense layer as a call: one of its products (kernel/ops/Matmul.h), launched on matrices.
//
//   MatmulRequest request{.entry = "up", .dtype = DType::F32, .bias = true, .gelu = true, ...};
//   Matmul up = *Matmul::load(device, *compile(request), request);
//   up.launch({.tokens = 4096, .in = 128, .out = 512, .x = ..., .w = ..., .y = ..., .bias = ...});
//
//   pass             reads                        writes
//   Forward          x w [bias] [residual]        y [u]
//   InputGradient    dy w [u]                     dx         accumulate: on top of what it holds
//   WeightGradient   dy x                         dw [db]    likewise
//
// Of a tensor the row's stride counts; columns of a larger matrix are a matrix too: its stride and
// an address further on. Sizes are those of the call: loaded kernels take any. The residual may be
// y itself. Launches depend on sizes alone, so that results repeat bit for bit.
//
// Refused, as input errors that name the argument: what LoadedKernel.h refuses.
#pragma once

#include "kernel/ops/Matmul.h"
#include "runtime/Buffer.h"
#include "runtime/LoadedKernel.h"
#include "runtime/Workspace.h"

namespace sparsec {

struct MatmulCall {
  int64_t tokens = 0, in = 0, out = 0;
  Tensor x, dx;            ///< [tokens, in]
  Tensor w, dw;            ///< [out, in]
  Tensor y, u, dy;         ///< [tokens, out]; of a gradient through gelu u is [tokens, in]
  Tensor residual;         ///< [tokens, out]
  Tensor bias, db;         ///< [out] f32
  bool accumulate = false; ///< of the gradients
  Tensor workspace;        ///< of workspaceBytes(); address 0: the object's own
};

/// Must not outlive the device.
class Matmul {
public:
  /// `kernels`: those of the request, in its order.
  static Result<Matmul> load(Device &device, std::vector<Kernel> kernels,
                             const MatmulRequest &request);
  const MatmulRequest &request() const { return asked; }
  /// Partial sums of a call of these sizes.
  size_t workspaceBytes(int64_t tokens, int64_t in, int64_t out) const;
  /// Memory for calls of these sizes, so that none of them allocates.
  Result<void> reserve(int64_t tokens, int64_t in, int64_t out);
  /// Enqueues its launches, none when there is nothing to write. Without tokens a weight gradient
  /// is zero, or stays.
  Result<void> launch(const MatmulCall &call);

private:
  /// How the tokens of a gradient are cut.
  struct Ranges {
    int64_t steps = 0, count = 1, each = 0; ///< chunks of tokens; ranges; chunks of a range
    int64_t biasCount = 0, biasEach = 0;    ///< likewise of the bias
    int64_t tilesDown = 0, across = 0;      ///< of dw
    size_t partBytes = 0;                   ///< of all ranges
  };
  Ranges rangesOf(int64_t tokens, int64_t in, int64_t out) const;
  Result<void> forward(const MatmulCall &call) const;
  Result<void> inputGradient(const MatmulCall &call) const;
  Result<void> weightGradient(const MatmulCall &call, DeviceAddress parts) const;
  Result<void> biasGradient(const MatmulCall &call, DeviceAddress parts) const;

  Device *device = nullptr;
  MatmulRequest asked;
  std::vector<LoadedKernel> kernels;
  Workspace workspace; ///< sums of ranges
};

} // namespace sparsec
