// What sim does for an instruction of the loops whose speed ./dev budget measures: exactly these
// instructions and bytes, in so many steps, and with little memory of its own. The same on a busy
// machine.
#include "runtime/sim/SimDevice.h"
#include "tests/Steps.h"
#include "tools/budget/SimLoops.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

static int64_t allocations = 0;

void *operator new(size_t bytes) {
  ++allocations;
  if (void *memory = std::malloc(bytes ? bytes : 1))
    return memory;
  throw std::bad_alloc();
}
void operator delete(void *memory) noexcept {
  std::free(memory);
}
void operator delete(void *memory, size_t) noexcept {
  std::free(memory);
}

namespace sparsec {
namespace {

struct Spent {
  SimReport report;
  int64_t allocations = 0;
  double steps = 0; ///< of sim, an instruction
};

Spent run(const SimLoop &loop, uint32_t iterations) {
  std::unique_ptr<Device> device = openSimDevice();
  Result<LoadedLoop> loaded = LoadedLoop::load(*device, loop);
  EXPECT_TRUE(loaded && loaded->run(1)); // the first run makes room
  clearSimReport(*device);
  int64_t before = allocations;
  uint64_t start = test::stepsTaken();
  EXPECT_TRUE(loaded->run(iterations));
  uint64_t steps = test::stepsTaken() - start;
  int64_t after = allocations;
  SimReport report = simReport(*device);
  return {report, after - before, double(steps) / double(report.warpInstructions)};
}

TEST(Loops, OfAttention) {
  SimLoop loop = simLoops()[0];
  ASSERT_EQ(loop.name, "attention");
  Spent few = run(loop, 20), many = run(loop, 120);
  auto each = [&](uint64_t SimReport::*number) {
    return double(many.report.*number - few.report.*number) / 100;
  };
  // Of four warps: 32 zeros, 32 ldmatrix, 64 mma, 4 x 32 + 16 of the softmax, 8 copies, 12 more.
  EXPECT_EQ(each(&SimReport::warpInstructions), 4 * 292);
  EXPECT_EQ(double(many.report.executed("mma.sync") - few.report.executed("mma.sync")),
            100 * 4 * 64);
  EXPECT_EQ(each(&SimReport::sharedLoadBytes), 4 * 32 * 512) << "four matrices of 128 bytes each";
  EXPECT_EQ(each(&SimReport::globalLoadBytes), 16'384) << "a stage";
  // What is copied waits in lists: 57 allocations an iteration, which has 1,168 instructions.
  EXPECT_LT(many.allocations - few.allocations, 100 * 64);
  EXPECT_LT(many.steps, 170) << "148 an instruction; one more look at each of its lanes is 32";
}

TEST(Loops, OfIntegers) {
  SimLoop loop = simLoops()[1];
  ASSERT_EQ(loop.name, "integer");
  Spent few = run(loop, 20), many = run(loop, 120);
  // Lanes part and meet again: up to 22 instructions an iteration and warp, 20.7 of them executed.
  EXPECT_EQ(few.report.warpInstructions, 1'758u);
  EXPECT_EQ(many.report.warpInstructions, 10'038u);
  EXPECT_EQ(many.report.sharedLoadBytes, 120u * 4 * 128);
  EXPECT_EQ(many.report.sharedStoreBytes, 120u * 4 * 128);
  EXPECT_EQ(many.allocations, few.allocations) << "an instruction allocates nothing";
  EXPECT_LT(many.steps, 70) << "48";
}

} // namespace
} // namespace sparsec
