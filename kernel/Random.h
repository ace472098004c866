// The random numbers of kernels: 32 bits for each pair of positions, a function of a seed and the
// positions alone, so that whoever asks again gets the same ones, on any device and in any order.
//
//   randomBits(seed, row, column) = word column % 2 of Threefry-2x32-20 with
//     key      seed mod 2^32, seed / 2^32
//     counter  row, column / 2
//
// Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), which has
// its tests. Additions, rotations and exclusive ors of 32 bits: cheap wherever lanes are.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace sparsec {

namespace threefry {
inline constexpr int kRounds = 20;
inline constexpr std::array<int, 8> kRotations = {13, 15, 26, 6, 17, 29, 16, 24};
inline constexpr uint32_t kParity = 0x1BD11BDA; ///< makes the third word of the key
inline constexpr int kRoundsOfKey = 4;          ///< after so many the key is mixed in
} // namespace threefry

inline std::array<uint32_t, 2> threefry2x32(std::array<uint32_t, 2> key,
                                            std::array<uint32_t, 2> counter) {
  using namespace threefry;
  const uint32_t keys[3] = {key[0], key[1], kParity ^ key[0] ^ key[1]};
  uint32_t x0 = counter[0] + keys[0], x1 = counter[1] + keys[1];
  for (int round = 0; round < kRounds; ++round) {
    x0 += x1;
    x1 = std::rotl(x1, kRotations[round % 8]) ^ x0;
    if ((round + 1) % kRoundsOfKey == 0) {
      int turn = (round + 1) / kRoundsOfKey;
      x0 += keys[turn % 3];
      x1 += keys[(turn + 1) % 3] + uint32_t(turn);
    }
  }
  return {x0, x1};
}

inline uint32_t randomBits(uint64_t seed, uint32_t row, uint32_t column) {
  return threefry2x32({uint32_t(seed), uint32_t(seed >> 32)}, {row, column / 2})[column % 2];
}

/// In [0, 1), a multiple of 2^-24.
inline float uniformOf(uint32_t bits) {
  return float(bits >> 8) * 0x1p-24f;
}

} // namespace sparsec
