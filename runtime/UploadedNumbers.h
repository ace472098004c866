// What a launch needs beside its tensors (layout/LaunchNumbers.h), in a device's memory.
#pragma once

#include "layout/LaunchNumbers.h"
#include "runtime/Buffer.h"

namespace sparsec {

struct UploadedNumbers {
  Buffer queryOrder, keyOrder, forms, offsets, columns, rowOrder; ///< what is empty has address 0
  int32_t rowsPerHead = 0, formStride = 0;
  int64_t rowTiles = 0, columnTiles = 0;
  BlockCounts counts;

  /// Of device memory.
  size_t bytes() const {
    return queryOrder.heldBytes() + keyOrder.heldBytes() + forms.heldBytes() + offsets.heldBytes() +
           columns.heldBytes() + rowOrder.heldBytes();
  }
};

Result<UploadedNumbers> upload(Device &device, LaunchNumbers numbers);

} // namespace sparsec
