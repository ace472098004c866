#include "runtime/CountingDevice.h"

#include <algorithm>
#include <cstring>

namespace sparsec {

Result<DeviceAddress> CountingDevice::allocate(size_t bytes) {
  auto size = static_cast<int64_t>((bytes + kAlign - 1) / kAlign * kAlign);
  DeviceAddress address = next;
  if (behind) {
    Result<DeviceAddress> made = behind->allocate(bytes);
    if (!made)
      return made;
    address = *made;
  } else {
    next += static_cast<DeviceAddress>(size);
  }
  sizes[address] = size;
  held += size;
  most = std::max(most, held);
  return address;
}

Result<void> CountingDevice::free(DeviceAddress address) {
  if (auto found = sizes.find(address); found != sizes.end()) {
    held -= found->second;
    sizes.erase(found);
  }
  return behind ? behind->free(address) : Result<void>();
}

Result<void> CountingDevice::copyToDevice(DeviceAddress to, const void *from, size_t bytes) {
  return behind ? behind->copyToDevice(to, from, bytes) : Result<void>();
}

Result<void> CountingDevice::copyToHost(void *to, DeviceAddress from, size_t bytes) {
  if (behind)
    return behind->copyToHost(to, from, bytes);
  std::memset(to, 0, bytes);
  return {};
}

Result<std::unique_ptr<Executable>> CountingDevice::load(const std::string &code,
                                                         const std::string &entry) {
  if (behind)
    return behind->load(code, entry);
  return std::make_unique<Executable>();
}

Result<void> CountingDevice::launch(const Executable &executable, const LaunchShape &shape,
                                    std::span<const void *const> parameters) {
  return behind ? behind->launch(executable, shape, parameters) : Result<void>();
}

size_t CountingDevice::scratchBytes(const Executable &executable) const {
  return behind ? behind->scratchBytes(executable) : 0;
}

Result<bool> CountingDevice::isCapturing(void *stream) {
  return behind ? behind->isCapturing(stream) : Result<bool>(false);
}

Result<std::unique_ptr<Recording>>
CountingDevice::record(const std::function<Result<void>()> &enqueue) {
  return behind ? behind->record(enqueue) : Device::record(enqueue);
}

Result<void> CountingDevice::synchronize() {
  return behind ? behind->synchronize() : Result<void>();
}

} // namespace sparsec
