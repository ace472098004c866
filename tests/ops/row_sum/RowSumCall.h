// The kernel of a row sum on a device, as a call.
#pragma once

#include "runtime/Launch.h"
#include "runtime/Tensor.h"
#include "tests/ops/row_sum/Request.h"

namespace sparsec {

struct RowSumCall {
  int64_t batch = 1, heads = 1, rows = 0;
  Tensor x; ///< [batch, heads, rows, columns]
  Tensor y; ///< [batch, heads, rows], stride[2] is not used
  float scale = 1;
};

/// Must not outlive the device.
class RowSum {
public:
  static Result<RowSum> load(Device &device, Kernel kernel, const RowSumRequest &request);
  /// Enqueues a launch, none when there is nothing to compute.
  Result<void> launch(const RowSumCall &call);

private:
  explicit RowSum(Kernel made, int columns);

  Device *device = nullptr;
  Kernel kernel;
  int columns = 0;
  std::unique_ptr<Executable> executable;
  ViewSlot x, y;
  Slot items, tiles, heads, rows, scale;
};

} // namespace sparsec
