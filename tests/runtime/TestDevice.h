// The device that a test runs on: --device=NAME, or $SPARSEC_TEST_DEVICE, or sim.
#pragma once

#include "runtime/Device.h"

#include <cstdlib>

namespace sparsec::testing {

inline std::string testDeviceName() {
  const char *name = std::getenv("SPARSEC_TEST_DEVICE");
  return name && *name ? name : "sim";
}

/// A Machine error (no GPU) is a reason to skip a test and to say so; nothing else is.
inline Result<std::unique_ptr<Device>> openTestDevice() {
  return openDevice(testDeviceName());
}

} // namespace sparsec::testing
