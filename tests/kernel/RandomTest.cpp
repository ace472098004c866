// The generator of kernel/Random.h: its published answers, and that its numbers look like none that
// depend on each other, in the ways that kernels ask for them.
#include "kernel/Random.h"

#include <cmath>
#include <gtest/gtest.h>
#include <vector>

namespace sparsec {
namespace {

using Words = std::array<uint32_t, 2>;

/// Of Random123's kat_vectors.
TEST(Random, GivesThePublishedAnswers) {
  EXPECT_EQ(threefry2x32({0, 0}, {0, 0}), (Words{0x6b200159, 0x99ba4efe}));
  EXPECT_EQ(threefry2x32({~0u, ~0u}, {~0u, ~0u}), (Words{0x1cb996fc, 0xbb002be7}));
  EXPECT_EQ(threefry2x32({0x13198a2e, 0x03707344}, {0x243f6a88, 0x85a308d3}),
            (Words{0xc4923a9c, 0x483df7a0}));
}

TEST(Random, IsAFunctionOfSeedRowAndColumn) {
  uint64_t seed = 0x0370734413198a2e;
  EXPECT_EQ(randomBits(seed, 7, 12), threefry2x32({0x13198a2e, 0x03707344}, {7, 6})[0]);
  EXPECT_EQ(randomBits(seed, 7, 13), threefry2x32({0x13198a2e, 0x03707344}, {7, 6})[1]);
  EXPECT_EQ(uniformOf(0), 0.0f);
  EXPECT_EQ(uniformOf(~0u), 1 - 0x1p-24f);
}

/// Standard deviations of a sum of squares of `cells` counts from what equal chances give.
double chiSquare(const std::vector<int> &counts) {
  double total = 0, sum = 0;
  for (int count : counts)
    total += count;
  double expected = total / double(counts.size()), freedom = double(counts.size()) - 1;
  for (int count : counts)
    sum += (count - expected) * (count - expected) / expected;
  return (sum - freedom) / std::sqrt(2 * freedom);
}

constexpr int kRows = 256, kColumns = 256;
constexpr uint64_t kSeeds[] = {0, 1, uint64_t(1) << 32, 0x9E3779B97F4A7C15};

/// Every byte of every word is as likely as any other.
TEST(Random, BytesAreUniform) {
  for (uint64_t seed : kSeeds)
    for (int shift : {0, 8, 16, 24}) {
      std::vector<int> counts(256);
      for (int row = 0; row < kRows; ++row)
        for (int column = 0; column < kColumns; ++column)
          ++counts[randomBits(seed, row, column) >> shift & 255];
      EXPECT_LT(std::abs(chiSquare(counts)), 4.5) << seed << " " << shift;
    }
}

/// Neither are pairs of neighbours by row, by column, by seed in either half, and of the places
/// that a token of the next layer would have.
TEST(Random, NeighboursAreIndependent) {
  struct Step {
    uint64_t seed;
    uint32_t row, column;
  };
  for (uint64_t seed : kSeeds)
    for (Step step : {Step{0, 0, 1},
                      {0, 0, 2},
                      {0, 1, 0},
                      {0, 1, 1},
                      {1, 0, 0},
                      {uint64_t(1) << 32, 0, 0},
                      {1, 1, 0},
                      {0, 64, 0},
                      {0, 0, 64}})
      for (int shift : {0, 28}) {
        std::vector<int> counts(256);
        for (uint32_t row = 0; row < kRows; ++row)
          for (uint32_t column = 0; column < kColumns; ++column) {
            uint32_t a = randomBits(seed, row, column) >> shift & 15;
            uint32_t b =
                randomBits(seed + step.seed, row + step.row, column + step.column) >> shift & 15;
            ++counts[a * 16 + b];
          }
        EXPECT_LT(std::abs(chiSquare(counts)), 4.5)
            << seed << " + " << step.seed << ", " << step.row << ", " << step.column;
      }
}

/// One bit of the input turns each bit of the output in half of all cases.
TEST(Random, OneBitTurnsHalfOfTheOthers) {
  constexpr int kTries = 4096;
  for (int input = 0; input < 128; ++input) {
    std::vector<int> turned(32);
    for (int i = 0; i < kTries; ++i) {
      uint64_t seed = uint64_t(i) * 0x9E3779B97F4A7C15;
      uint32_t row = uint32_t(i) * 17, column = uint32_t(i) * 5;
      uint32_t before = randomBits(seed, row, column);
      if (input < 64)
        seed ^= uint64_t(1) << input;
      else
        (input < 96 ? row : column) ^= uint32_t(1) << input % 32;
      uint32_t changed = before ^ randomBits(seed, row, column);
      for (int bit = 0; bit < 32; ++bit)
        turned[bit] += changed >> bit & 1;
    }
    for (int count : turned) // 5 standard deviations
      EXPECT_NEAR(count, kTries / 2, 5 * std::sqrt(kTries) / 2) << "bit " << input;
  }
}

} // namespace
} // namespace sparsec
