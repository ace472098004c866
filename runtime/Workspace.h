// Memory that a call needs while its launches run, and that says nothing before or after: partial
// sums. Callers that lay out their memory hand it in (a call's `workspace`); else an operation has
// its own, which grows with what is asked for.
#pragma once

#include "runtime/Buffer.h"
#include "runtime/Tensor.h"

namespace sparsec {

/// So many bytes, up to the next multiple of what allocations are aligned to.
inline size_t alignedBytes(size_t bytes) {
  constexpr size_t kAlignment = 256;
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}
/// Refuses memory that is missing, misaligned or too small for a call that needs so many bytes.
Result<void> checkWorkspace(const Tensor &given, size_t bytes);

class Workspace {
public:
  /// Where a call that needs so many bytes has them: in `given`, where that is there. Error: it is
  /// smaller.
  Result<DeviceAddress> forCall(Device &device, const Tensor &given, size_t bytes);
  /// Own memory of so many bytes at least, so that calls of as many do not allocate.
  Result<void> reserve(Device &device, size_t bytes);

private:
  Buffer own;
};

} // namespace sparsec
