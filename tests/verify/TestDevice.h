// The device that tests of kernels run on.
#pragma once

#include "runtime/Device.h"

namespace sparsec::testing {

/// SPARSEC_TEST_DEVICE names it: "sim" when that is not set.
std::string testDeviceName();
/// An Error of kind Machine when this machine has no such device: the test is skipped, and says so.
Result<std::unique_ptr<Device>> openTestDevice();

} // namespace sparsec::testing

/// Opens the test device as `device`, or skips the test.
#define SPARSEC_OPEN_TEST_DEVICE(device)                                                           \
  auto device##Opened = ::sparsec::testing::openTestDevice();                                      \
  if (!device##Opened && device##Opened.error().kind == ::sparsec::ErrorKind::Machine)             \
    GTEST_SKIP() << device##Opened.error().message;                                                \
  ASSERT_TRUE(device##Opened) << device##Opened.error().render();                                  \
  ::sparsec::Device &device = **device##Opened
