#include "tools/verify/WornDevice.h"

#include <vector>

namespace sparsec {

Result<void> WornDevice::fill(DeviceAddress address, size_t bytes) {
  std::vector<std::byte> filler(bytes, std::byte{0xFF}); // NaN in every type
  return behind.copyToDevice(address, filler.data(), bytes);
}

Result<void> WornDevice::wear() {
  for (auto [address, bytes] : written)
    if (Result<void> filled = fill(address, bytes); !filled)
      return filled;
  return {};
}

Result<DeviceAddress> WornDevice::allocate(size_t bytes) {
  Result<DeviceAddress> address = behind.allocate(bytes);
  if (!address || bytes == 0)
    return address;
  written[*address] = bytes;
  if (Result<void> filled = fill(*address, bytes); !filled)
    return filled.error();
  return address;
}

Result<void> WornDevice::free(DeviceAddress address) {
  written.erase(address);
  return behind.free(address);
}

Result<void> WornDevice::copyToDevice(DeviceAddress to, const void *from, size_t bytes) {
  if (auto after = written.upper_bound(to); after != written.begin())
    if (auto [address, size] = *std::prev(after); to < address + size)
      written.erase(address);
  return behind.copyToDevice(to, from, bytes);
}

} // namespace sparsec
