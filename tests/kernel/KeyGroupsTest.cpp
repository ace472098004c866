// The groups of kv heads that launches of attention backward's pass over keys are told of.
#include "kernel/ops/KeyGroups.h"

#include <gtest/gtest.h>
#include <map>

namespace sparsec {
namespace {

/// The picture of KeyGroups.h.
TEST(KeyGroups, AreThoseOfThePicture) {
  const Heads launches[] = {{.first = 0, .step = 1, .count = 3},
                            {.first = 3, .step = 1, .count = 1}};
  std::vector<KeyGroup> first = {{0, 0, 2, 0}, {1, 2, 1, KeyGroup::kStays}};
  EXPECT_EQ(keyGroups(launches, 0, 2), first);
  std::vector<KeyGroup> second = {{1, 0, 1, KeyGroup::kGoesOn}};
  EXPECT_EQ(keyGroups(launches, 1, 2), second);
}

/// Six heads, three entries of two heads each, three kv heads: entry 1 is last for kv head 0 and
/// first for kv head 2, so that a role belongs to a kv head, not to a launch.
TEST(KeyGroups, RolesDifferFromKvHeadToKvHead) {
  const Heads launches[] = {{.first = 0, .step = 3, .count = 2},  // heads 0 3: kv heads 0 1
                            {.first = 1, .step = 3, .count = 2},  // heads 1 4: kv heads 0 2
                            {.first = 2, .step = 3, .count = 2}}; // heads 2 5: kv heads 1 2
  constexpr int32_t kBoth = KeyGroup::kGoesOn | KeyGroup::kStays;
  EXPECT_EQ(keyGroups(launches, 0, 2),
            (std::vector<KeyGroup>{{0, 0, 1, KeyGroup::kStays}, {1, 1, 1, KeyGroup::kStays}}));
  EXPECT_EQ(keyGroups(launches, 1, 2),
            (std::vector<KeyGroup>{{0, 0, 1, KeyGroup::kGoesOn}, {2, 1, 1, KeyGroup::kStays}}));
  EXPECT_EQ(keyGroups(launches, 2, 2),
            (std::vector<KeyGroup>{{1, 0, 1, KeyGroup::kGoesOn}, {2, 1, 1, KeyGroup::kGoesOn}}));
  // One kv head for all: the launch between goes on and stays.
  EXPECT_EQ(keyGroups(launches, 1, 6), (std::vector<KeyGroup>{{0, 0, 2, kBoth}}));
}

TEST(KeyGroups, ALaunchWithoutHeadsHasNone) {
  const Heads launches[] = {{.first = 0, .step = 1, .count = 0},
                            {.first = 0, .step = 1, .count = 1}};
  EXPECT_TRUE(keyGroups(launches, 0, 1).empty());
  EXPECT_EQ(keyGroups(launches, 1, 1), (std::vector<KeyGroup>{{0, 0, 1, 0}}));
}

/// Whatever the launches: each head is in the group of its kv head, in its own launch; of all
/// launches that give to a kv head exactly the first starts from zero, and exactly the last leaves
/// the gradients.
TEST(KeyGroups, EveryKvHeadBeginsOnceAndEndsOnce) {
  for (int64_t launches = 1; launches <= 4; ++launches)
    for (int64_t heads = 1; heads <= 12; ++heads)
      for (int64_t headsPerKvHead = 1; headsPerKvHead <= heads; ++headsPerKvHead) {
        std::vector<Heads> all; // head h is of launch h mod `launches`
        for (int64_t i = 0; i < launches; ++i)
          all.push_back(
              {.first = i, .step = launches, .count = (heads - i + launches - 1) / launches});
        struct Met {
          int64_t heads = 0, begins = 0, ends = 0;
          bool open = false;
        };
        std::map<int64_t, Met> kvHeads;
        for (size_t at = 0; at < all.size(); ++at) {
          int64_t next = 0;
          for (const KeyGroup &group : keyGroups(all, at, headsPerKvHead)) {
            Met &met = kvHeads[group.kvHead];
            EXPECT_EQ(group.first, next);
            for (int64_t i = 0; i < group.heads; ++i)
              EXPECT_EQ((all[at].first + (group.first + i) * all[at].step) / headsPerKvHead,
                        group.kvHead);
            next += group.heads;
            met.heads += group.heads;
            EXPECT_EQ(bool(group.role & KeyGroup::kGoesOn), met.open);
            met.begins += !(group.role & KeyGroup::kGoesOn);
            met.ends += !(group.role & KeyGroup::kStays);
            met.open = true;
          }
          EXPECT_EQ(next, std::max<int64_t>(0, all[at].count));
        }
        for (const auto &[kvHead, met] : kvHeads) {
          EXPECT_EQ(met.heads, std::min(headsPerKvHead, heads - kvHead * headsPerKvHead));
          EXPECT_EQ(met.begins, 1);
          EXPECT_EQ(met.ends, 1);
        }
      }
}

} // namespace
} // namespace sparsec
