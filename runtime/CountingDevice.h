// A device that counts the memory that is asked of it: in front of another one, or by itself, where
// it takes kernels and copies and runs nothing, so that a run can be planned on a machine that
// cannot hold it.
//
//   CountingDevice counting(&device);  ... counting.peakBytes()
#pragma once

#include "runtime/Device.h"

#include <map>

namespace sparsec {

class CountingDevice final : public Device {
public:
  /// Devices align allocations to as much; they are counted so.
  static constexpr int64_t kAlign = 256;
  /// Null: no device behind it.
  explicit CountingDevice(Device *behind = nullptr) : behind(behind) {}

  int64_t bytes() const { return held; }
  Result<int64_t> peakBytes() override { return most; }

  std::string_view name() const override { return behind ? behind->name() : "none"; }
  std::string description() const override { return behind ? behind->description() : "plans"; }
  Result<DeviceAddress> allocate(size_t bytes) override;
  Result<void> free(DeviceAddress address) override;
  Result<void> copyToDevice(DeviceAddress to, const void *from, size_t bytes) override;
  Result<void> copyToHost(void *to, DeviceAddress from, size_t bytes) override;
  Result<std::unique_ptr<Executable>> load(const std::string &code,
                                           const std::string &entry) override;
  Result<void> launch(const Executable &executable, const LaunchShape &shape,
                      std::span<const void *const> parameters) override;
  Result<void> synchronize() override;
  size_t scratchBytes(const Executable &executable) const override;
  Result<bool> isCapturing(void *stream) override;
  Result<std::unique_ptr<Recording>> record(const std::function<Result<void>()> &enqueue) override;

private:
  Device *behind;
  std::map<DeviceAddress, int64_t> sizes;
  DeviceAddress next = kAlign; ///< where there is no device
  int64_t held = 0, most = 0;
};

} // namespace sparsec
