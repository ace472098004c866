#include "tools/sparsec/DeviceFlag.h"

#include "tools/sparsec/Options.h"

#include <fmt/format.h>

namespace sparsec::cli {
namespace {

std::vector<std::string> knownDevices() {
  std::vector<std::string> names;
  for (std::string_view name : deviceNames())
    names.emplace_back(name);
  return names;
}

} // namespace

void declareDeviceFlag(Options &options, std::string &device) {
  options.choice("--device", "NAME", listed(knownDevices()) + " (the first that is there)", device,
                 knownDevices());
}

Result<std::unique_ptr<Device>> chooseDevice(const std::string &asked,
                                             const DeviceOptions &options) {
  if (!asked.empty())
    return openDevice(asked, options);
  std::optional<Error> last;
  for (std::string_view name : deviceNames()) {
    auto device = openDevice(name, options);
    if (device)
      return device;
    last = device.error();
  }
  return last.value_or(internalError("no device is built in"));
}

Result<Target> chooseTarget(const Device &device, const std::string &asked) {
  Target own = targetOf(device);
  if (asked.empty())
    return own;
  auto target = findTarget(asked);
  if (target && target->kind() != own.kind())
    return inputError(fmt::format("device {} does not run code for {}", device.name(), asked));
  return target;
}

} // namespace sparsec::cli
