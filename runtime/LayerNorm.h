// Layer norm of rows as calls (kernel/ops/LayerNorm.h says what is computed).
//
// Refused, as input errors that name the argument: what LoadedKernel.h refuses.
#pragma once

#include "kernel/ops/LayerNorm.h"
#include "runtime/LoadedKernel.h"
#include "runtime/Workspace.h"

namespace sparsec {

struct LayerNormCall {
  int64_t rows = 0;
  Tensor x;          ///< [rows, columns], of the request's stream
  Tensor gain, bias; ///< [columns] f32
  Tensor y;          ///< [rows, columns] of the request's dtype
  Tensor mean, rstd; ///< [rows] f32; address 0: not wanted
  float epsilon = 1e-5f;
};

/// Must not outlive the device.
class LayerNorm {
public:
  static Result<LayerNorm> load(Device &device, std::vector<Kernel> kernels,
                                const LayerNormRequest &request);
  /// Enqueues a launch, none when there are no rows.
  Result<void> launch(const LayerNormCall &call) const;

private:
  LayerNormRequest request;
  LoadedKernel forward;
};

struct LayerNormBackwardCall {
  int64_t rows = 0;
  Tensor x, gain, mean, rstd; ///< of the forward call
  Tensor dy;                  ///< [rows, columns] of the request's dtype
  Tensor dresidual;           ///< [rows, columns] of the stream, added to dx; address 0: none
  Tensor dx;                  ///< [rows, columns] of the stream; may be dresidual
  Tensor dgain, dbias;        ///< [columns] f32
  bool accumulate = false;    ///< onto what dgain and dbias hold; else they are written
  Tensor workspace;           ///< of workspaceBytes(); address 0: the object's own
};

/// Must not outlive the device.
class LayerNormBackward {
public:
  static Result<LayerNormBackward> load(Device &device, std::vector<Kernel> kernels,
                                        const LayerNormBackwardRequest &request);
  /// Partial sums of dgain, then of dbias: [tiles of rows, columns] each.
  size_t workspaceBytes(int64_t rows) const;
  /// Memory for calls of up to so many rows, so that none of them allocates.
  Result<void> reserve(int64_t rows);
  /// Enqueues two launches. Without rows dgain and dbias get zeros, or stay.
  Result<void> launch(const LayerNormBackwardCall &call);

private:
  LayerNormBackwardRequest request;
  Device *device = nullptr;
  LoadedKernel gradient, sums;
  Workspace workspace;
};

} // namespace sparsec
