// Random numbers of hosts by counter: the n-th number of a stream is a function of the seed, the
// stream and n, so that runs repeat and go on, whatever was drawn before. Of kernel/Random.h: equal
// on every machine.
#pragma once

#include "kernel/Random.h"

#include <cmath>
#include <numbers>

namespace sparsec {

/// What a stream of numbers is for: no two uses share one.
enum class RandomStream : uint32_t { Initial = 1, Order, Shift, Sample, Dropout };

class CounterRandom {
public:
  CounterRandom(uint64_t seed, RandomStream stream, uint32_t index = 0)
      : key(threefry2x32({static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
                         {static_cast<uint32_t>(stream), index})) {}

  uint64_t bits(uint64_t counter) const {
    auto [a, b] =
        threefry2x32(key, {static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32)});
    return uint64_t(a) << 32 | b;
  }
  /// In [0, 1), a multiple of 2^-53.
  double uniform(uint64_t counter) const {
    return static_cast<double>(bits(counter) >> 11) * 0x1p-53;
  }
  /// Mean 0, variance 1, by Box and Muller: two of each counter.
  std::array<double, 2> normal(uint64_t counter) const {
    double u = uniform(2 * counter) + 0x1p-53; // (0, 1]
    double radius = std::sqrt(-2 * std::log(u));
    double angle = 2 * std::numbers::pi * uniform(2 * counter + 1);
    return {radius * std::cos(angle), radius * std::sin(angle)};
  }

private:
  std::array<uint32_t, 2> key;
};

} // namespace sparsec
