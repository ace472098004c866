// Numbers for tests: the same on every machine for a seed.
#pragma once

#include <cstdint>

namespace sparsec {

/// splitmix64.
class Random {
public:
  explicit Random(uint64_t seed) : state(seed) {}

  uint64_t bits() {
    uint64_t z = state += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }
  /// 0 .. bound - 1; the bias of the remainder does not matter here.
  int64_t below(int64_t bound) {
    return static_cast<int64_t>(bits() % static_cast<uint64_t>(bound));
  }
  /// Mean 0, variance 1, within +-2 sqrt(3): the sum of four uniform numbers, so that no library's
  /// logarithm enters.
  float normal() {
    uint64_t word = bits();
    float sum = 0;
    for (int i = 0; i < 4; ++i, word >>= 16)
      sum += static_cast<float>(word & 0xFFFF);
    return (sum * 0x1p-16f - 2.0f + 2 * 0x1p-16f) * 1.7320508f;
  }

private:
  uint64_t state;
};

} // namespace sparsec
