#include "tests/verify/TestDevice.h"

#include <cstdlib>

namespace sparsec::testing {

std::string testDeviceName() {
  const char *name = std::getenv("SPARSEC_TEST_DEVICE");
  return name && *name ? name : "sim";
}

Result<std::unique_ptr<Device>> openTestDevice() {
  return openDevice(testDeviceName());
}

} // namespace sparsec::testing
