// The devices that this build has, by name.
#include "runtime/cpu/CpuDevice.h"
#include "runtime/cuda/CudaDevice.h"
#include "runtime/sim/SimDevice.h"

#include <algorithm>
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
  Result<std::unique_ptr<Device>> (*open)(const DeviceOptions &options);
};

/// Preferred first.
constexpr DeviceEntry kDevices[] = {
    {"cuda",
     [](const DeviceOptions &options) {
       return asDevice(openCudaDevice({.ordinal = options.ordinal, .store = options.store}));
     }},
    {"cpu",
     [](const DeviceOptions &options) {
       return Result<std::unique_ptr<Device>>(openCpuDevice({.threads = options.threads}));
     }},
    {"sim", [](const DeviceOptions &) { return Result<std::unique_ptr<Device>>(openSimDevice()); }},
};

} // namespace

Result<std::unique_ptr<Device>> openDevice(std::string_view name, const DeviceOptions &options) {
  std::string known;
  for (const DeviceEntry &entry : kDevices) {
    if (entry.name == name)
      return entry.open(options);
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

Target targetOf(const Device &device) {
  if (device.name() == "cpu")
    return *findTarget("cpu");
  const auto *gpu = dynamic_cast<const CudaDevice *>(&device);
  if (!gpu)
    return *findTarget("sm_80");
  Target best = *findTarget("sm_80");
  for (const std::string &name : targetNames()) { // in rising order
    Target target = *findTarget(name);
    if (target.kind() == TargetKind::Gpu && gpu->runs(name))
      best = std::move(target);
  }
  best.sharedBytes = std::min(best.sharedBytes, gpu->sharedBytes());
  return best;
}

} // namespace sparsec
