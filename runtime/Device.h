// A machine that runs kernels: `cuda` (a GPU through the driver), `cpu` (native code on the host's
// cores), `sim` (our PTX interpreter). Tests and tools name a device, never a code path.
//
// Memory is addressed by 64-bit device addresses; 0 is never a valid one. Calls are in order;
// launch may return before the kernel has run, and synchronize() (or a copy to the host) reports
// what it did wrong.
#pragma once

#include "kernel/Kernel.h"

#include <array>
#include <cstddef>
#include <functional>
#include <span>
#include <string_view>

namespace sparsec {

using DeviceAddress = uint64_t;

/// The shape of a launch, and where it runs.
struct LaunchShape {
  std::array<uint32_t, 3> grid = {1, 1, 1};
  std::array<uint32_t, 3> block = {1, 1, 1};
  uint32_t sharedBytes = 0; ///< dynamic shared memory
  void *stream = nullptr;   ///< `cuda`: a CUstream; null: the default one
  DeviceAddress scratch =
      0;              ///< of Device::scratchBytes(); 0: the device's own, one launch at a time
  int64_t pairs = -1; ///< of queries and keys in all blocks that it computes; -1: nobody knows
};

/// A kernel loaded on a device. Must not outlive it.
class Executable {
public:
  virtual ~Executable() = default;
};

/// Launches that were recorded, to be enqueued again as one. Must not outlive its device, nor the
/// executables and the memory of its launches.
class Recording {
public:
  virtual ~Recording() = default;
  virtual Result<void> replay() = 0;
};

class Device {
public:
  virtual ~Device() = default;
  virtual std::string_view name() const = 0;   ///< "cuda", "cpu", "sim"
  virtual std::string description() const = 0; ///< one line: which machine, which driver

  virtual Result<DeviceAddress>
  allocate(size_t bytes) = 0; ///< 256-byte aligned, contents undefined
  virtual Result<void> free(DeviceAddress address) = 0;
  /// How much could be allocated now: of the host's memory, unless the device has its own.
  virtual Result<int64_t> freeBytes();
  /// The most that the process has held so far; of a device with memory of its own, what is taken
  /// of that since it was opened.
  virtual Result<int64_t> peakBytes();
  virtual Result<void> copyToDevice(DeviceAddress to, const void *from, size_t bytes) = 0;
  virtual Result<void> copyToHost(void *to, DeviceAddress from, size_t bytes) = 0;

  /// Loads one entry of what Kernel::code holds: a PTX text, or a shared object for `cpu`.
  virtual Result<std::unique_ptr<Executable>> load(const std::string &code,
                                                   const std::string &entry) = 0;
  /// parameters[i] points at the value of the entry's i-th parameter (as cuLaunchKernel's
  /// kernelParams).
  virtual Result<void> launch(const Executable &executable, const LaunchShape &shape,
                              std::span<const void *const> parameters) = 0;
  /// Memory that a launch of any grid needs for itself (`cpu`: of all threads), 256-byte aligned.
  virtual size_t scratchBytes(const Executable &) const { return 0; }
  /// Whether a stream is being captured: what is enqueued then runs later, and nothing may be
  /// allocated or waited for.
  virtual Result<bool> isCapturing(void * /*stream*/) { return false; }
  /// Keeps what `enqueue` launches on the default stream, parameters as they are now, and runs none
  /// of it: `cuda` makes a graph. Null where the device has no such thing; `enqueue` is not called.
  virtual Result<std::unique_ptr<Recording>>
  record(const std::function<Result<void>()> & /*enqueue*/) {
    return std::unique_ptr<Recording>();
  }
  virtual Result<void> synchronize() = 0;
};

class DiskStore;

struct DeviceOptions {
  int threads = 0; ///< of `cpu`; 0: as many as the process may run at once
  int ordinal = 0; ///< of `cuda`: which GPU, as the driver counts them
  std::shared_ptr<DiskStore> store = nullptr; ///< of `cuda`: for machine code; null: made each time
};

/// Devices by name; an Error that says what is missing when this machine has none of that name.
Result<std::unique_ptr<Device>> openDevice(std::string_view name,
                                           const DeviceOptions &options = {});
/// The names that openDevice knows, preferred first.
std::vector<std::string_view> deviceNames();
/// What to compile for a device, when nobody says otherwise: the latest target that it runs, within
/// its own shared memory.
Target targetOf(const Device &device);

} // namespace sparsec
