// The plan of a run's memory is what the run then takes: on the device of the tests, counted, and
// on none at all; a batch is cut into runs that fit.
#include "runtime/CountingDevice.h"
#include "tests/model/ModelOnDevice.h"

#include <fstream>
#include <gtest/gtest.h>
#include <malloc.h>

namespace sparsec {
namespace {

std::shared_ptr<const Dataset> dataset() {
  return std::make_shared<const Dataset>(
      Dataset::of(randomTokens(2000, 1), randomTokens(300, 2), randomTokens(300, 3)));
}

/// The machine of the tests on another device, with nothing loaded yet.
Machine on(Device &device) {
  const Machine &machine = testMachine();
  return {.device = device,
          .store = machine.store,
          .target = machine.target,
          .chooseForward = machine.chooseForward,
          .chooseBackward = machine.chooseBackward,
          .chooseDecode = machine.chooseDecode,
          .loaded = {}};
}

class PlanOfPattern : public testing::TestWithParam<std::tuple<const char *, bool, int>> {};

TEST_P(PlanOfPattern, IsWhatTheRunTakes) {
  auto [pattern, recompute, micro] = GetParam();
  Config config = smallConfig(pattern, {}, {{"train.batch_size", "2"}, {"model.dropout", "0.1"}});
  config.train.recompute = recompute;
  config.train.microBatch = micro;
  auto model = transformerOf(config);

  CountingDevice none;
  Machine planning = on(none);
  auto planned = Trainer::load(planning, model, dataset());
  ASSERT_TRUE(planned) << planned.error().render();
  EXPECT_EQ(planned->plannedBytes(), *none.peakBytes());

  CountingDevice counting(&testMachine().device);
  Machine machine = on(counting);
  auto trainer = Trainer::load(machine, model, dataset());
  ASSERT_TRUE(trainer) << trainer.error().render();
  EXPECT_EQ(trainer->plannedBytes(), planned->plannedBytes());
  EXPECT_EQ(counting.bytes(), trainer->plannedBytes());
  ASSERT_TRUE(trainer->initialise());
  for (int64_t step : {0, 1}) {
    auto done = trainer->step(step);
    ASSERT_TRUE(done) << done.error().render();
  }
  ASSERT_TRUE(trainer->score(Split::Valid, {}));
  EXPECT_EQ(*counting.peakBytes(), trainer->plannedBytes()); // nothing came on the way
}
// Tables of blocks, closed forms, parts that hand over sums, heads that share theirs.
INSTANTIATE_TEST_SUITE_P(Patterns, PlanOfPattern,
                         testing::Values(std::tuple{"causal", false, 2},
                                         std::tuple{"fixed", true, 1},
                                         std::tuple{"strided", false, 1},
                                         std::tuple{"strided-merged", true, 2},
                                         std::tuple{"bigbird", false, 2}));

/// Of /proc/self/status, in bytes: "VmRSS" what is resident, "VmHWM" the most that was.
int64_t residentMemory(const std::string &key) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == key + ":") {
      int64_t kilobytes = 0;
      status >> kilobytes;
      return kilobytes * 1024;
    }
  return -1;
}

/// What the process takes at most beyond what it has, once kernels are compiled, is the plan.
TEST(Plan, TheProcessGrowsByWhatIsPlanned) {
  if (testMachine().device.name() != "cpu")
    GTEST_SKIP() << "the device's memory is not the process's";
  for (const char *recompute : {"false", "true"}) {
    SCOPED_TRACE(recompute);
    Config config = smallConfig("strided", {{"l", 32}},
                                {{"model.length", "1024"},
                                 {"model.width", "256"},
                                 {"model.layers", "6"},
                                 {"train.batch_size", "4"},
                                 {"train.recompute", recompute}});
    auto model = transformerOf(config);
    auto data = std::make_shared<const Dataset>(
        Dataset::of(randomTokens(20000, 1), randomTokens(5000, 2), randomTokens(5000, 3)));
    CountingDevice none;
    Machine planning = on(none);
    {
      auto planned = Trainer::load(planning, model, data);
      ASSERT_TRUE(planned) << planned.error().render();
    }
    Machine machine = on(testMachine().device);
    malloc_trim(0);
    constexpr const char *kResetPeak = "5";
    ASSERT_TRUE(std::ofstream("/proc/self/clear_refs") << kResetPeak << std::flush);
    int64_t before = residentMemory("VmRSS");
    auto trainer = Trainer::load(machine, model, data);
    ASSERT_TRUE(trainer) << trainer.error().render();
    ASSERT_TRUE(trainer->initialise());
    ASSERT_TRUE(trainer->step(0));
    ASSERT_TRUE(trainer->score(Split::Valid, {}));
    auto grown = static_cast<double>(residentMemory("VmHWM") - before),
         planned = static_cast<double>(trainer->plannedBytes());
    constexpr double kLeast = 100e6, kShare = 0.05;
    EXPECT_GT(planned, kLeast);
    EXPECT_NEAR(grown, planned, kShare * planned);
  }
}

TEST(Plan, WorkspacesLieInTheArena) {
  CountingDevice none;
  Machine planning = on(none);
  auto model = transformerOf(smallConfig("strided-merged", {}, {{"train.batch_size", "2"}}));
  std::vector<CallList> lists = Trainer::lists(*model);
  CallList &step = lists[2];
  ASSERT_TRUE(step.load(planning));
  MemoryPlan plan = step.plan();
  int workspaces = 0;
  for (const Call &call : step.all()) {
    EXPECT_NE(call.loaded.kernel, "") << call.name;
    EXPECT_GT(call.loaded.seconds, 0) << call.name;
    EXPECT_EQ(static_cast<bool>(call.workspace), call.loaded.workspace > 0) << call.name;
    if (!call.workspace)
      continue;
    ++workspaces;
    auto buffer = static_cast<size_t>(call.workspace.buffer);
    EXPECT_GE(plan.offsets[buffer], 0);
    EXPECT_GE(step.allBuffers()[buffer].bytes, call.loaded.workspace);
    EXPECT_EQ(plan.lifetimes[buffer].first, plan.lifetimes[buffer].last); // its call's alone
  }
  EXPECT_GE(workspaces, 8); // weight gradients, norms and attention of two layers
}

TEST(Plan, TheMicroBatchFits) {
  CountingDevice none;
  Machine planning = on(none);
  auto model = transformerOf(smallConfig("causal", {}, {{"train.batch_size", "6"}}));
  auto bytes = [&](int64_t micro) {
    Config config = model->config();
    config.train.microBatch = micro;
    planning.loaded.clear();
    auto loaded = Trainer::load(planning, transformerOf(config), dataset());
    EXPECT_TRUE(loaded);
    return loaded->plannedBytes();
  };
  for (int64_t micro : {1, 2, 3, 6}) {
    EXPECT_EQ(*fittingMicroBatch(planning, *model, bytes(micro)), micro);
    if (micro > 1)
      EXPECT_LT(*fittingMicroBatch(planning, *model, bytes(micro) - 1), micro);
  }
  EXPECT_EQ(*fittingMicroBatch(planning, *model, 1), 1);
}

} // namespace
} // namespace sparsec
