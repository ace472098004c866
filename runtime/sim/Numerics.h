// Floating-point formats and roundings as PTX defines them.
//
//   f16   1 sign, 5 exponent, 10 fraction      bf16  1, 8, 7: the high half of an f32
//
// NaN results are canonical: 0x7fffffff (f32), 0x7fff (f16, bf16), as on the hardware.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace sparsec::sim {

enum class Rounding : uint8_t { Nearest, NearestAway, Zero, Up, Down };

constexpr uint32_t canonicalNan = 0x7fffffff;
constexpr uint16_t canonicalNan16 = 0x7fff;

inline float bitsToFloat(uint32_t bits) {
  return __builtin_bit_cast(float, bits);
}
inline uint32_t floatToBits(float value) {
  return __builtin_bit_cast(uint32_t, value);
}

inline float canonical(float value) {
  return value != value ? bitsToFloat(canonicalNan) : value;
}

/// Subnormals to zero of the same sign.
inline float flushed(float value) {
  uint32_t bits = floatToBits(value);
  return bitsToFloat((bits & 0x7f800000) == 0 ? bits & 0x80000000 : bits);
}

inline float fromBf16(uint16_t value) {
  return bitsToFloat(uint32_t(value) << 16);
}

inline float fromHalf(uint16_t value) {
  uint32_t sign = uint32_t(value & 0x8000) << 16, magnitude = value & 0x7fff;
  uint32_t normal = (magnitude << 13) + (uint32_t(127 - 15) << 23);
  uint32_t special = (magnitude << 13) | 0x7f800000;
  uint32_t subnormal = floatToBits(float(int32_t(magnitude)) * 0x1p-24f);
  uint32_t bits = magnitude >= 0x7c00 ? special : magnitude < 0x400 ? subnormal : normal;
  return bitsToFloat(bits | sign);
}

/// To nearest, ties to even.
inline uint16_t toBf16(float value) {
  uint32_t bits = floatToBits(value);
  uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  return (bits & 0x7fffffff) > 0x7f800000 ? canonicalNan16 : uint16_t(rounded);
}

inline uint16_t toHalf(float value) {
  uint32_t bits = floatToBits(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  // 0.5 has an ulp of 2^-24, half's smallest subnormal: the addition rounds.
  uint32_t subnormal = floatToBits(bitsToFloat(magnitude) + 0.5f) - 0x3f000000;
  uint32_t normal = (magnitude + 0xfff + (magnitude >> 13 & 1) - 0x38000000) >> 13;
  uint32_t result = magnitude < 0x38800000 ? subnormal : magnitude >= 0x477ff000 ? 0x7c00 : normal;
  return magnitude > 0x7f800000 ? canonicalNan16 : uint16_t(result | sign);
}

/// A format with fewer bits: fraction bits and the exponent of its smallest normal number.
struct Format {
  int fraction, minExponent, maxExponent;
};
constexpr Format halfFormat = {10, -14, 15}, bfloatFormat = {7, -126, 127},
                 singleFormat = {23, -126, 127}, tf32Format = {10, -126, 127};

/// `value` rounded to a number of the format (as a double); overflow gives infinity or the largest
/// finite number as the rounding says. Not for NaN.
template <class F>
inline F roundTo(F value, Format format, Rounding rounding) {
  if (value == 0 || std::isinf(value))
    return value;
  int exponent;
  std::frexp(value, &exponent); // value = f 2^exponent, 0.5 <= f < 1
  int unit = std::max(exponent - 1, format.minExponent) - format.fraction;
  F scaled = std::ldexp(value, -unit), down = std::floor(scaled), rest = scaled - down;
  F result = down;
  switch (rounding) {
  case Rounding::Nearest:
    result += rest > 0.5 || (rest == 0.5 && std::fmod(down, F(2)) != 0);
    break;
  case Rounding::NearestAway:
    result += value > 0 ? rest >= 0.5 : rest > 0.5;
    break;
  case Rounding::Zero:
    result += value < 0 && rest > 0;
    break;
  case Rounding::Up:
    result += rest > 0;
    break;
  case Rounding::Down:
    break;
  }
  result = std::copysign(std::ldexp(result, unit), value);
  F largest = std::ldexp(F(2) - std::ldexp(F(1), -format.fraction), format.maxExponent);
  if (std::fabs(result) <= largest)
    return result;
  bool toInfinity = rounding == Rounding::Nearest || rounding == Rounding::NearestAway ||
                    (rounding == Rounding::Up && value > 0) ||
                    (rounding == Rounding::Down && value < 0);
  return std::copysign(toInfinity ? F(HUGE_VAL) : largest, value);
}

inline uint16_t toHalf(double value, Rounding rounding) {
  return value != value ? canonicalNan16 : toHalf(float(roundTo(value, halfFormat, rounding)));
}
inline uint16_t toBf16(double value, Rounding rounding) {
  return value != value ? canonicalNan16 : toBf16(float(roundTo(value, bfloatFormat, rounding)));
}
inline float toSingle(double value, Rounding rounding) {
  return value != value ? bitsToFloat(canonicalNan) : float(roundTo(value, singleFormat, rounding));
}

/// 2^x to about 1 ulp of a double, without calls, so that a loop of it becomes vector code.
inline double exp2Of(double x) {
  double clamped = x < -1100 ? -1100 : x > 1100 ? 1100 : x;
  // Adding 1.5 2^52 rounds to an integer.
  double shifted = clamped + 0x1.8p52, whole = shifted - 0x1.8p52;
  double t = (clamped - whole) * 0x1.62e42fefa39efp-1; // |t| <= ln(2) / 2
  double p = 1.0 / 6227020800;
  p = p * t + 1.0 / 479001600;
  p = p * t + 1.0 / 39916800;
  p = p * t + 1.0 / 3628800;
  p = p * t + 1.0 / 362880;
  p = p * t + 1.0 / 40320;
  p = p * t + 1.0 / 5040;
  p = p * t + 1.0 / 720;
  p = p * t + 1.0 / 120;
  p = p * t + 1.0 / 24;
  p = p * t + 1.0 / 6;
  p = p * t + 0.5;
  p = p * t + 1;
  p = p * t + 1;
  // 2^whole in two factors: it may be outside the range of a normal double.
  int64_t n = int64_t(__builtin_bit_cast(uint64_t, shifted) & 0xffff) << 48 >> 48;
  int64_t half = n >> 1;
  double low = __builtin_bit_cast(double, uint64_t(half + 1023) << 52);
  double high = __builtin_bit_cast(double, uint64_t(n - half + 1023) << 52);
  double result = p * low * high;
  return x != x ? x : result;
}

} // namespace sparsec::sim
