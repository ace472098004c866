// What counts as the same kernel, and that the same one is compiled once.
#include "runtime/KernelCache.h"

#include <gtest/gtest.h>

namespace sparsec {
namespace {

/// Loads anything.
class NullDevice : public Device {
public:
  std::string_view name() const override { return "null"; }
  std::string description() const override { return "nothing"; }
  Result<DeviceAddress> allocate(size_t) override { return DeviceAddress(256); }
  Result<void> free(DeviceAddress) override { return {}; }
  Result<void> copyToDevice(DeviceAddress, const void *, size_t) override { return {}; }
  Result<void> copyToHost(void *, DeviceAddress, size_t) override { return {}; }
  Result<std::unique_ptr<Executable>> load(const std::string &, const std::string &) override {
    return std::make_unique<Executable>();
  }
  Result<void> launch(const Executable &, const LaunchShape &,
                      std::span<const void *const>) override {
    return {};
  }
  Result<void> synchronize() override { return {}; }
};

Expr predicate(const std::string &text) {
  return *parsePredicate(std::make_shared<SourceText>(SourceText{"test", text}));
}

KernelRequest request() {
  return {
      .entry = "k", .attend = predicate("k <= q and q - k < 8"), .target = *findTarget("sm_80")};
}

TEST(KernelCache, CompilesWhatItHasNotSeen) {
  NullDevice device;
  int compiled = 0;
  KernelCache cache(device, [&](const KernelRequest &asked) -> Result<Kernel> {
    ++compiled;
    return Kernel{.entry = asked.entry, .dtype = asked.dtype, .headDim = asked.headDim};
  });
  auto first = cache.attention({request()});
  ASSERT_TRUE(first);
  auto second = cache.attention({request()}); // an equal predicate, parsed again
  ASSERT_TRUE(second);
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(compiled, 1);

  std::vector<KernelRequest> others(9, request());
  others[0].entry = "other";
  others[1].attend = predicate("k <= q and q - k < 9");
  others[2].dtype = DType::F16;
  others[3].headDim = 128;
  others[4].valueDim = 32;
  others[5].block = {32, 64};
  others[6].target.name = "sm_90";
  others[7].queryOrder = ResidueOrder{4};
  others[8].keyOrder = ResidueOrder{4};
  for (const KernelRequest &other : others) {
    auto found = cache.attention({other});
    ASSERT_TRUE(found);
    EXPECT_EQ((*found)->kernel().entry, other.entry);
    EXPECT_EQ((*found)->kernel().headDim, other.headDim);
    EXPECT_NE(*found, *first);
  }
  EXPECT_EQ(compiled, 10);
  for (const KernelRequest &other : others)
    ASSERT_TRUE(cache.attention({other}));
  EXPECT_EQ(compiled, 10);
}

TEST(KernelCache, KeepsNothingOfAFailure) {
  NullDevice device;
  int tries = 0;
  KernelCache cache(device, [&](const KernelRequest &) -> Result<Kernel> {
    ++tries;
    return inputError("no such thing");
  });
  for (int i = 1; i <= 2; ++i) {
    auto failed = cache.attention({request()});
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().message, "no such thing");
    EXPECT_EQ(tries, i);
  }
}

} // namespace
} // namespace sparsec
