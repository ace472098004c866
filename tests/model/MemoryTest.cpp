// The memory planner: buffers that are alive at the same call never overlap, whatever the lists.
#include "model/Memory.h"
#include "model/Random.h"

#include <gtest/gtest.h>

namespace sparsec {
namespace {

struct Lists {
  std::vector<BufferInfo> buffers;
  std::vector<std::vector<Use>> uses;
};

/// Calls that each use a few of the buffers.
Lists randomLists(uint64_t seed) {
  CounterRandom random(seed, RandomStream::Sample);
  uint64_t next = 0;
  auto below = [&](uint64_t bound) { return random.bits(next++) % bound; };
  Lists lists;
  uint64_t buffers = 1 + below(40), calls = 1 + below(60);
  for (uint64_t i = 0; i < buffers; ++i)
    lists.buffers.push_back({"b", below(8) == 0 ? BufferKind::Kept : BufferKind::Passing,
                             static_cast<int64_t>(below(4) ? below(5000) : 256 * below(20))});
  lists.uses.resize(calls);
  for (uint64_t i = 0; i < buffers; ++i) {
    // Most live shortly, some for long; a few are never used.
    uint64_t from = below(calls), length = below(3) ? below(5) : below(calls);
    if (below(12))
      for (uint64_t call : {from, std::min(from + length, calls - 1)})
        lists.uses[call].push_back({Use::Read, "x", {.buffer = static_cast<int>(i)}});
  }
  return lists;
}

TEST(Memory, LiveBuffersNeverOverlap) {
  double worst = 1;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    Lists lists = randomLists(seed);
    MemoryPlan plan = planMemory(lists.buffers, lists.uses);
    std::vector<Lifetime> alive(lists.buffers.size());
    for (int call = 0; call < static_cast<int>(lists.uses.size()); ++call)
      for (const Use &use : lists.uses[static_cast<size_t>(call)]) {
        Lifetime &life = alive[static_cast<size_t>(use.matrix.buffer)];
        life = {life.isUsed() ? life.first : call, call};
      }
    for (size_t i = 0; i < alive.size(); ++i) {
      bool planned = lists.buffers[i].kind == BufferKind::Passing && alive[i].isUsed();
      ASSERT_EQ(plan.offsets[i] >= 0, planned);
      if (!planned)
        continue;
      ASSERT_EQ(plan.offsets[i] % kBufferAlign, 0);
      ASSERT_LE(plan.offsets[i] + lists.buffers[i].bytes, plan.arenaBytes);
      for (size_t j = 0; j < i; ++j) {
        if (plan.offsets[j] < 0 || !alive[i].meets(alive[j]))
          continue;
        bool apart = plan.offsets[i] + lists.buffers[i].bytes <= plan.offsets[j] ||
                     plan.offsets[j] + lists.buffers[j].bytes <= plan.offsets[i];
        ASSERT_TRUE(apart || !lists.buffers[i].bytes || !lists.buffers[j].bytes)
            << "seed " << seed << ": " << i << " and " << j;
      }
    }
    ASSERT_GE(plan.arenaBytes, plan.lowerBound);
    if (plan.lowerBound > 0)
      worst = std::max(worst,
                       static_cast<double>(plan.arenaBytes) / static_cast<double>(plan.lowerBound));
  }
  EXPECT_LT(worst, 1.6); // of what is alive at once
}

TEST(Memory, ABufferTakesThePlaceOfOneThatIsDone) {
  std::vector<BufferInfo> buffers(3, {"b", BufferKind::Passing, 1000});
  auto use = [](int buffer) { return Use{Use::Read, "x", {.buffer = buffer}}; };
  std::vector<std::vector<Use>> uses = {{use(0), use(1)}, {use(1), use(2)}};
  MemoryPlan plan = planMemory(buffers, uses);
  EXPECT_EQ(plan.offsets, (std::vector<int64_t>{0, 1024, 0}));
  EXPECT_EQ(plan.arenaBytes, 2048);
  EXPECT_EQ(plan.lowerBound, 2048);
}

} // namespace
} // namespace sparsec
