// A device whose memory is never fresh: what is allocated and not copied to is NaN before every
// run, so that a kernel that reads what none has written spoils its results, whatever the memory
// held. Those are the workspaces of operations, the caller's and their own alike; tensors, tables
// and weights are copied to. In front of another device.
#pragma once

#include "runtime/Device.h"

#include <map>

namespace sparsec {

class WornDevice final : public Device {
public:
  explicit WornDevice(Device &behind) : behind(behind) {}

  /// Fills what nobody copied to: between runs.
  Result<void> wear();

  std::string_view name() const override { return behind.name(); }
  std::string description() const override { return behind.description(); }
  /// Filled.
  Result<DeviceAddress> allocate(size_t bytes) override;
  Result<void> free(DeviceAddress address) override;
  Result<int64_t> freeBytes() override { return behind.freeBytes(); }
  Result<void> copyToDevice(DeviceAddress to, const void *from, size_t bytes) override;
  Result<void> copyToHost(void *to, DeviceAddress from, size_t bytes) override {
    return behind.copyToHost(to, from, bytes);
  }
  Result<std::unique_ptr<Executable>> load(const std::string &code,
                                           const std::string &entry) override {
    return behind.load(code, entry);
  }
  Result<void> launch(const Executable &executable, const LaunchShape &shape,
                      std::span<const void *const> parameters) override {
    return behind.launch(executable, shape, parameters);
  }
  size_t scratchBytes(const Executable &executable) const override {
    return behind.scratchBytes(executable);
  }
  Result<bool> isCapturing(void *stream) override { return behind.isCapturing(stream); }
  Result<void> synchronize() override { return behind.synchronize(); }

private:
  Result<void> fill(DeviceAddress address, size_t bytes);

  Device &behind;
  std::map<DeviceAddress, size_t> written; ///< by kernels alone, if by anybody
};

} // namespace sparsec
