// Predicates, sizes, strides and blocks made by chance, from text to numbers on a device.
#include "codegen/Compiler.h"
#include "tests/verify/RandomCase.h"
#include "tests/verify/TestDevice.h"

#include <gtest/gtest.h>

namespace sparsec {
namespace {

TEST(RandomPatterns, AgreeWithTheReference) {
  SPARSEC_OPEN_TEST_DEVICE(device);
  for (int seed = 1; seed <= 60; ++seed)
    EXPECT_EQ(testing::runRandomCase(seed, device, compile), "");
}

} // namespace
} // namespace sparsec
