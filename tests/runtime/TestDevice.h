// The device that a test runs on: the one that $SPARSEC_TEST_DEVICE names, or sim.
#pragma once

#include "runtime/Device.h"

#include <cstdlib>
#include <gtest/gtest.h>

namespace sparsec::testing {

inline std::string testDeviceName() {
  const char *name = std::getenv("SPARSEC_TEST_DEVICE");
  return name && *name ? name : "sim";
}

inline Result<std::unique_ptr<Device>> openTestDevice() {
  return openDevice(testDeviceName());
}

/// That this machine has no such device is a reason to skip a test and to say so; nothing else is.
#define SPARSEC_SKIP_WITHOUT(device)                                                               \
  if (!device && device.error().kind == sparsec::ErrorKind::Machine)                               \
    GTEST_SKIP() << device.error().render();                                                       \
  ASSERT_TRUE(device) << device.error().render()

} // namespace sparsec::testing
