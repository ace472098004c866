// The devices that this build has, by name.
#include "runtime/cuda/CudaDevice.h"
#include "runtime/sim/SimDevice.h"

#include <fmt/format.h>

namespace sparsec {

namespace {

/// A factory's result as a device, whatever its own type.
template <class T>
Result<std::unique_ptr<Device>> asDevice(Result<std::unique_ptr<T>> opened) {
  if (!opened)
    return opened.error();
  return std::unique_ptr<Device>(std::move(*opened));
}

struct DeviceEntry {
  std::string_view name;
  Result<std::unique_ptr<Device>> (*open)();
};

/// Preferred first.
constexpr DeviceEntry kDevices[] = {
    {"cuda", [] { return asDevice(openCudaDevice()); }},
    {"sim", [] { return Result<std::unique_ptr<Device>>(openSimDevice()); }},
};

} // namespace

Result<std::unique_ptr<Device>> openDevice(std::string_view name) {
  std::string known;
  for (const DeviceEntry &entry : kDevices) {
    if (entry.name == name)
      return entry.open();
    known += fmt::format("{}{}", known.empty() ? "" : ", ", entry.name);
  }
  return inputError(fmt::format("expected a device: {}; found '{}'", known, name));
}

std::vector<std::string_view> deviceNames() {
  std::vector<std::string_view> names;
  for (const DeviceEntry &entry : kDevices)
    names.push_back(entry.name);
  return names;
}

} // namespace sparsec
