// How long the diagonals of a rectangle are, for counts of what repeats along them.
#pragma once

#include <algorithm>
#include <cstdint>

namespace sparsec {

/// Of `along` x `across` equal pieces, those that equal the pieces first, first + stride, ... below
/// `end` of the side `along`: the diagonal that starts at piece i has min(along - i, across).
inline int64_t diagonalWeight(int64_t along, int64_t across, int64_t first, int64_t stride,
                              int64_t end) {
  auto terms = [&](int64_t from, int64_t to) {
    return from < to ? (to - from - 1) / stride + 1 : 0;
  };
  // Before `bend`, a diagonal is as long as the other side.
  int64_t bend = std::clamp(along - across, first, end);
  int64_t flat = terms(first, bend);
  int64_t next = first + flat * stride;
  int64_t falling = terms(next, end);
  int64_t firstLength = along - next;
  int64_t lastLength = firstLength - (falling - 1) * stride;
  // Lengths sum to at most along * across, which fits; the product below may not.
  __extension__ using Wide = __int128;
  auto twice = Wide(falling) * (firstLength + lastLength);
  return flat * across + static_cast<int64_t>(twice / 2);
}

} // namespace sparsec
