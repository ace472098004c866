// Random numbers by counter: the n-th number of a stream is a function of the seed, the stream and
// n, so that runs repeat and resume, whatever was drawn before. Philox 4x32-10 (Salmon, Moraes,
// Dror and Shaw, 2011): equal on every machine.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace sparsec {

/// What a stream of numbers is for: no two uses share one.
enum class RandomStream : uint32_t { Initial = 1, Order = 2, Shift = 3, Sample = 4, Dropout = 5 };

class CounterRandom {
public:
  CounterRandom(uint64_t seed, RandomStream stream, uint32_t index = 0)
      : key{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
        stream(static_cast<uint32_t>(stream)), index(index) {}

  /// Four words of the counter.
  std::array<uint32_t, 4> words(uint64_t counter) const {
    std::array<uint32_t, 4> x = {static_cast<uint32_t>(counter),
                                 static_cast<uint32_t>(counter >> 32), stream, index};
    std::array<uint32_t, 2> k = key;
    for (int round = 0; round < 10; ++round) {
      uint64_t a = uint64_t(0xD2511F53) * x[0], b = uint64_t(0xCD9E8D57) * x[2];
      x = {static_cast<uint32_t>(b >> 32) ^ x[1] ^ k[0], static_cast<uint32_t>(b),
           static_cast<uint32_t>(a >> 32) ^ x[3] ^ k[1], static_cast<uint32_t>(a)};
      k = {k[0] + 0x9E3779B9, k[1] + 0xBB67AE85};
    }
    return x;
  }
  uint64_t bits(uint64_t counter) const {
    auto [a, b, c, d] = words(counter);
    return uint64_t(a) << 32 | b;
  }
  /// In [0, 1), a multiple of 2^-53.
  double uniform(uint64_t counter) const {
    return static_cast<double>(bits(counter) >> 11) * 0x1p-53;
  }
  /// Mean 0, variance 1, by Box and Muller; two of each counter.
  std::array<double, 2> normal(uint64_t counter) const {
    auto [a, b, c, d] = words(counter);
    double u = (static_cast<double>(uint64_t(a) << 21 | b >> 11) + 1) * 0x1p-53; // (0, 1]
    double v = static_cast<double>(uint64_t(c) << 21 | d >> 11) * 0x1p-53;
    double radius = std::sqrt(-2 * std::log(u)), angle = 2 * std::numbers::pi * v;
    return {radius * std::cos(angle), radius * std::sin(angle)};
  }

private:
  std::array<uint32_t, 2> key;
  uint32_t stream, index;
};

} // namespace sparsec
