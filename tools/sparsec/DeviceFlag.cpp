#include "tools/sparsec/DeviceFlag.h"

#include "tools/sparsec/Options.h"

namespace sparsec::cli {
namespace {

std::vector<std::string> knownDevices() {
  std::vector<std::string> names;
  for (std::string_view name : deviceNames())
    names.emplace_back(name);
  return names;
}

} // namespace

CLI::Option *declareDeviceFlag(CLI::App &app, std::string &device) {
  return addChoice(app, "--device", "NAME", listed(knownDevices()) + " (the first that is there)",
                   device, knownDevices());
}

Result<std::unique_ptr<Device>> chooseDevice(const std::string &asked) {
  if (!asked.empty())
    return openDevice(asked);
  std::optional<Error> last;
  for (std::string_view name : deviceNames()) {
    auto device = openDevice(name);
    if (device)
      return device;
    last = device.error();
  }
  return last.value_or(internalError("no device is built in"));
}

} // namespace sparsec::cli
