// What counts as the same kernel, and that the same one is compiled once.
#include "runtime/KernelStore.h"
#include "kernel/ops/Attention.h"
#include "runtime/cpu/HostCpu.h"

#include <gtest/gtest.h>

#include <set>

namespace sparsec {
namespace {

Expr predicate(const std::string &text) {
  return *parsePredicate(std::make_shared<SourceText>(SourceText{"test", text}));
}

AttentionRequest request() {
  return {
      .entry = "k", .attend = predicate("k <= q and q - k < 8"), .target = *findTarget("sm_80")};
}

TEST(KernelStore, CompilesWhatItHasNotSeen) {
  int compiled = 0;
  KernelStore store(
      [&](const Request &asked) -> Result<std::vector<Kernel>> {
        ++compiled;
        return std::vector<Kernel>{{.entry = asked.entry()}};
      },
      "test");
  auto first = store.kernels(request());
  ASSERT_TRUE(first);
  auto second = store.kernels(request()); // an equal predicate, parsed again
  ASSERT_TRUE(second);
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(compiled, 1);

  std::vector<AttentionRequest> others(10, request());
  others[0].entry = "other";
  others[1].attend = predicate("k <= q and q - k < 9");
  others[2].dtype = DType::F16;
  others[3].headDim = 128;
  others[4].valueDim = 32;
  others[5].block = {32, 64};
  others[6].target.name = "sm_90";
  others[7].queryOrder = ResidueOrder{4};
  others[8].keyOrder = ResidueOrder{4};
  others[9].target.sharedBytes /= 2;
  for (const AttentionRequest &other : others) {
    auto found = store.kernels(other);
    ASSERT_TRUE(found);
    EXPECT_EQ((*found)->front().entry, other.entry);
    EXPECT_NE(*found, *first);
  }
  EXPECT_EQ(compiled, 11);
  for (const AttentionRequest &other : others)
    ASSERT_TRUE(store.kernels(other));
  EXPECT_EQ(compiled, 11);
}

TEST(KernelStore, KeepsNothingOfAFailure) {
  int tries = 0;
  KernelStore store(
      [&](const Request &) -> Result<std::vector<Kernel>> {
        ++tries;
        return inputError("no such thing");
      },
      "test");
  for (int i = 1; i <= 2; ++i) {
    auto failed = store.kernels(request());
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().message, "no such thing");
    EXPECT_EQ(tries, i);
  }
}

TEST(KernelStore, KeyHoldsAllThatCodeDependsOn) {
  std::string key = storeKey(request(), "1");
  EXPECT_EQ(key, storeKey(request(), "1"));
  EXPECT_NE(key, storeKey(request(), "2")); // of the compiler
  std::vector<AttentionRequest> others(8, request());
  others[0].target.sharedBytes /= 2; // as a device limits it
  others[1].target.ptxVersion = "ptx81";
  others[2].target = *findTarget("cpu");
  others[3].target = *findTarget("cpu-avx2");
  others[4].part.last = false;
  others[5].part.first = false;
  others[6].queryOrder = ResidueOrder{4};
  others[7].block = {32, 32};
  std::set<std::string> keys = {key};
  for (const AttentionRequest &other : others)
    EXPECT_TRUE(keys.insert(storeKey(other, "1")).second) << storeKey(other, "1");
  // "cpu" is this machine: a file that moves to another one is not found there.
  EXPECT_NE(storeKey(others[2], "1").find(std::string(hostLevel())), std::string::npos);
  // Sizes of an order are arguments, its shape is compiled in.
  AttentionRequest longer = others[6];
  longer.queryOrder = ResidueOrder{8};
  EXPECT_EQ(storeKey(longer, "1"), storeKey(others[6], "1"));
}

} // namespace
} // namespace sparsec
