#include "runtime/Buffer.h"

#include <utility>

namespace sparsec {

Result<Buffer> Buffer::allocate(Device &device, size_t bytes) {
  Buffer buffer;
  if (bytes == 0)
    return buffer;
  Result<DeviceAddress> address = device.allocate(bytes);
  if (!address)
    return address.error();
  buffer.device = &device;
  buffer.where = *address;
  buffer.size = bytes;
  return buffer;
}

Result<Buffer> Buffer::upload(Device &device, std::span<const std::byte> contents) {
  Result<Buffer> buffer = allocate(device, contents.size());
  if (!buffer || contents.empty())
    return buffer;
  Result<void> copied = device.copyToDevice(buffer->where, contents.data(), contents.size());
  if (!copied)
    return copied.error();
  return buffer;
}

Buffer::Buffer(Buffer &&other) noexcept
    : device(std::exchange(other.device, nullptr)), where(std::exchange(other.where, 0)),
      size(std::exchange(other.size, 0)) {}

Buffer &Buffer::operator=(Buffer &&other) noexcept {
  std::swap(device, other.device);
  std::swap(where, other.where);
  std::swap(size, other.size);
  return *this;
}

Buffer::~Buffer() {
  // A failure to free can only be a device that is already lost; the next call on it says so.
  if (device)
    (void)static_cast<bool>(device->free(where));
}

} // namespace sparsec
