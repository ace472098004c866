#include "runtime/Workspace.h"

#include <fmt/format.h>

namespace sparsec {

Result<void> checkWorkspace(const Tensor &given, size_t bytes) {
  if (bytes == 0)
    return {};
  if (given.address == 0)
    return inputError(fmt::format("workspace: expected {} bytes, found none", bytes));
  if (given.address % 256 != 0)
    return inputError(fmt::format("workspace: expected an address that is a multiple of 256 bytes, "
                                  "found 0x{:x}",
                                  given.address));
  if (given.bytes < bytes)
    return inputError(
        fmt::format("workspace: expected {} bytes at least, found {}", bytes, given.bytes));
  return {};
}

Result<DeviceAddress> Workspace::forCall(Device &device, const Tensor &given, size_t bytes) {
  if (given.address) {
    if (given.bytes < bytes)
      return inputError(
          fmt::format("workspace: expected {} bytes at least, found {}", bytes, given.bytes));
    return given.address;
  }
  if (Result<void> ready = reserve(device, bytes); !ready)
    return ready.error();
  return own.address();
}

Result<void> Workspace::reserve(Device &device, size_t bytes) {
  if (own.bytes() >= bytes)
    return {};
  if (Result<void> idle = device.synchronize(); !idle) // an earlier launch may use what goes
    return idle;
  own = Buffer(); // first, so that both need not fit
  Result<Buffer> made = Buffer::allocate(device, bytes);
  if (!made)
    return made.error();
  own = std::move(*made);
  return {};
}

} // namespace sparsec
