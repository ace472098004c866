// Device memory with an owner: freed when the owner goes.
#pragma once

#include "runtime/Device.h"

namespace sparsec {

/// An allocation on a device. Must not outlive the device; the device must be idle when it goes.
class Buffer {
public:
  Buffer() = default;
  static Result<Buffer> allocate(Device &device, size_t bytes);
  /// Allocates and copies.
  static Result<Buffer> upload(Device &device, std::span<const std::byte> contents);

  Buffer(Buffer &&other) noexcept;
  Buffer &operator=(Buffer &&other) noexcept;
  ~Buffer();

  DeviceAddress address() const { return where; }
  size_t bytes() const { return size; }
  /// What a device takes for it: allocations are aligned.
  size_t heldBytes() const {
    constexpr size_t kAlign = 256;
    return (size + kAlign - 1) / kAlign * kAlign;
  }

private:
  Device *device = nullptr;
  DeviceAddress where = 0;
  size_t size = 0;
};

} // namespace sparsec
