// The zoo's models, films and neighbourhoods against the same written out by hand.
#include "tests/patterns/ZooMeaning.h"

#include <algorithm>

namespace sparsec {
namespace {

using testing::expectMeaning;
using testing::zoo;

TEST(ZooModels, WindowsAndChunksInTurn) {
  auto window = [](int, int q, int k) { return k <= q && k > q - 5; };
  auto full = [](int, int q, int k) { return k <= q; };
  for (const char *name : {"gpt-oss", "mimo-v2-flash", "gemma-3", "gemma-4"}) {
    expectMeaning(zoo(name, {{"w", 5}}), 0, 20, window);
    expectMeaning(zoo(name, {{"w", 5}}), 1, 20, full);
  }
  Pattern llama = zoo("llama-4", {{"c", 6}});
  expectMeaning(llama, 0, 20, [](int, int q, int k) { return k <= q && k / 6 == q / 6; });
  expectMeaning(llama, 1, 20, full);
  auto share = [](const char *name) { // layers of windows, and all
    Pattern pattern = zoo(name);
    int windows = 0;
    for (const std::vector<int> &layer : pattern.layers)
      windows += layer == std::vector<int>{0};
    return std::pair(windows, static_cast<int>(pattern.layers.size()));
  };
  EXPECT_EQ(share("gpt-oss"), std::pair(1, 2));
  EXPECT_EQ(share("mimo-v2-flash"), std::pair(39, 48));
  EXPECT_EQ(share("gemma-3"), std::pair(5, 6));
  EXPECT_EQ(share("llama-4"), std::pair(3, 4));
}

TEST(ZooModels, Phi3Small) {
  std::map<std::string, int64_t> params = {{"b", 2}, {"near", 3}, {"stride", 4}, {"layouts", 2}};
  expectMeaning(zoo("phi-3-small", params), 0, 30, [](int h, int q, int k) {
    int row = q / 2, column = k / 2, step = std::max(1, 4 / 2);
    return k <= q && (row - column < 3 || (column + h * step + 1) % 4 == 0);
  });
}

TEST(ZooModels, Films) {
  expectMeaning(zoo("frame-causal", {{"t", 4}, {"w", 2}, {"anchor", 1}}), 0, 30,
                [](int, int q, int k) { return k / 4 <= q / 4 && (k / 4 >= q / 4 - 1 || k < 4); });
  // Tokens of a frame below 2^9, so that both a window that shrinks and frames left out come up.
  constexpr int kTokens = 300, kBits = 9;
  Pattern radial = zoo("radial", {{"t", kTokens}});
  Evaluator evaluator(radial.heads[0].attend, 0, {8 * kTokens, 8 * kTokens});
  for (int q = 0; q < 8 * kTokens; q += 7)
    for (int k = 0; k < 8 * kTokens; k += 5) {
      int distance = std::abs(q / kTokens - k / kTokens), group = 0;
      while (distance >> group)
        ++group;
      double decay = double(1 << kBits) / double(1 << group);
      double width = std::max(decay, 128.0);
      bool sampled = decay >= 128 || distance % int(128 / decay) == 0;
      bool sees = k < kTokens || (std::abs(q % kTokens - k % kTokens) <= width && sampled);
      ASSERT_EQ(evaluator.at(q, k), sees) << q << ' ' << k;
    }
}

TEST(ZooModels, TilesAndGeneralisedNeighbourhoods) {
  // Along an axis: the window of `size` around t, moved inside.
  auto within = [](int t, int u, int size, int length) {
    int start = std::clamp(t - size / 2, 0, length - size);
    return start <= u && u < start + size;
  };
  expectMeaning(
      zoo("gna-2d", {{"height", 5}, {"width", 7}, {"down", 3}, {"across", 4}}), 0, 35,
      [&](int, int q, int k) { return within(q / 7, k / 7, 3, 5) && within(q % 7, k % 7, 4, 7); });
  std::map<std::string, int64_t> tiles = {{"height", 3}, {"width", 4},  {"t", 2},
                                          {"down", 2},   {"across", 3}, {"text", 5}};
  expectMeaning(zoo("sliding-tiles", tiles), 0, 33, [&](int, int q, int k) {
    int row = q / 2 / 4, column = q / 2 % 4;
    bool near = within(row, k / 2 / 4, 2, 3) && within(column, k / 2 % 4, 3, 4);
    return k < 29 && (q >= 24 || k >= 24 || near);
  });
}

TEST(ZooModels, LadderAndDocuments) {
  expectMeaning(zoo("ladder"), 0, 40, [](int, int q, int k) {
    for (int step = 1; step <= q - k; step *= 2)
      if (step == q - k)
        return true;
    return q == k;
  });
  expectMeaning(zoo("documents"), 0, 120, [](int, int q, int k) {
    auto document = [](int t) { return (t >= 37) + (t >= 101) + (t >= 102); };
    return k <= q && document(q) == document(k);
  });
}

} // namespace
} // namespace sparsec
