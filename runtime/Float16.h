// The two 16-bit floats, as bits: conversions from and to float, rounding to nearest, ties to even.
//
//   f16   1 sign, 5 exponent, 10 fraction: largest 65504, smallest normal 2^-14, subnormal 2^-24
//   bf16  1 sign, 8 exponent,  7 fraction: the upper half of a float
//
// Values past the largest become infinities, NaN stays NaN (quiet), signs are kept, zeros too.
#pragma once

#include <bit>
#include <cstdint>

namespace sparsec {

inline float bf16ToFloat(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

inline uint16_t floatToBf16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7FFFFFFF) > 0x7F800000) // NaN: rounding could carry it to infinity
    return static_cast<uint16_t>((bits >> 16) | 0x40);
  uint32_t even = (bits >> 16) & 1;
  return static_cast<uint16_t>((bits + 0x7FFF + even) >> 16);
}

inline float f16ToFloat(uint16_t bits) {
  uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  uint32_t exponent = (bits >> 10) & 0x1F;
  uint32_t fraction = bits & 0x3FF;
  if (exponent == 0x1F) {
    uint32_t quiet = fraction ? 0x400000 : 0;
    return std::bit_cast<float>(sign | 0x7F800000 | quiet | fraction << 13);
  }
  if (exponent == 0) { // subnormal: fraction * 2^-24, exact in a float
    float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | sign);
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

inline uint16_t floatToF16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000)
    return static_cast<uint16_t>(sign | 0x7E00 | ((magnitude >> 13) & 0x3FF));
  if (magnitude >= 0x477FF000) // 65520 and up is nearer to infinity than to 65504
    return sign | 0x7C00;
  if (magnitude < 0x38800000) { // below 2^-14: a multiple of 2^-24
    // Adding 0.5 puts the unit of the last place at 2^-24, so the addition itself rounds to it.
    float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3F000000));
  }
  uint32_t even = (magnitude >> 13) & 1;
  return static_cast<uint16_t>(sign | ((magnitude + 0xFFF + even - 0x38000000) >> 13));
}

} // namespace sparsec
