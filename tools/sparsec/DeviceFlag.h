// --device NAME, the same for every command that runs kernels.
#pragma once

#include "runtime/Device.h"

namespace sparsec::cli {

class Options;
void declareDeviceFlag(Options &options, std::string &device);

/// The device that was asked for; else the first of the preferred ones that this machine has.
Result<std::unique_ptr<Device>> chooseDevice(const std::string &asked,
                                             const DeviceOptions &options = {});

/// The target that was asked for, which must be one whose code the device runs; else targetOf().
Result<Target> chooseTarget(const Device &device, const std::string &asked);

} // namespace sparsec::cli
