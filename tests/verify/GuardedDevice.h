// A cpu device for tests: every allocation, and the scratch memory of every call, stands against a
// page that nobody may touch, so that a kernel's stray access ends the test there and then.
//
//   Guard::After    | ....... tensor | no access |      reads and writes past the last element
//   Guard::Before   | no access | tensor ....... |      before the first
//
// An allocation has exactly the bytes asked for; what its page has left over lies on the other
// side. After: an address is a multiple of 16 bytes where the size is. Scratch is filled with NaN
// before each call: what one call leaves is of no use to the next.
#pragma once

#include "runtime/Device.h"

#include <map>

namespace sparsec::testing {

enum class Guard { Before, After };

class GuardedDevice : public Device {
public:
  explicit GuardedDevice(Guard guard) : guard(guard) {}
  ~GuardedDevice() override;

  std::string_view name() const override { return "cpu"; }
  std::string description() const override { return "guarded memory"; }
  Result<DeviceAddress> allocate(size_t bytes) override;
  Result<void> free(DeviceAddress address) override;
  Result<void> copyToDevice(DeviceAddress to, const void *from, size_t bytes) override;
  Result<void> copyToHost(void *to, DeviceAddress from, size_t bytes) override;
  Result<std::unique_ptr<Executable>> load(const std::string &code,
                                           const std::string &entry) override;
  Result<void> launch(const Executable &executable, const LaunchShape &shape,
                      std::span<const void *const> parameters) override;
  Result<void> synchronize() override { return {}; }

private:
  struct Mapping {
    void *base = nullptr;
    size_t bytes = 0;
  };
  Guard guard;
  std::map<DeviceAddress, Mapping> mappings;
};

/// Until it goes, a signal that ends this process says `what` first.
class CrashNote {
public:
  explicit CrashNote(const std::string &what);
  ~CrashNote();
};

} // namespace sparsec::testing
