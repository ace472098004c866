// Division of small numbers by one that is known only at run time, as a multiplication and a shift.
#pragma once

#include <bit>
#include <cassert>
#include <cstdint>

namespace sparsec {

/// x / value == (x * magic) >> shift in 64 bits, for 0 <= x < 2^31. (Granlund and Montgomery 1994,
/// theorem 4.2: magic exceeds 2^shift / value by at most one, which is below what a quotient of 31
/// bits can notice.)
struct Divisor {
  int32_t value = 1;
  uint32_t magic = (uint32_t{1} << 31) + 1;
  int32_t shift = 31;

  Divisor() = default;
  /// 1 <= value < 2^31.
  explicit Divisor(int64_t divisor) : value(static_cast<int32_t>(divisor)) {
    assert(1 <= divisor && divisor < (int64_t{1} << 31));
    shift = 31 + std::bit_width(static_cast<uint64_t>(divisor - 1));
    magic = static_cast<uint32_t>((uint64_t{1} << shift) / static_cast<uint64_t>(divisor) + 1);
  }
  int32_t divide(int32_t x) const {
    return static_cast<int32_t>((static_cast<uint64_t>(x) * magic) >> shift);
  }
};

} // namespace sparsec
