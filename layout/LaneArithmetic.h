// What LaneProgram does with kLanes cells in lock step: intervals, truths, and the operators on
// them. For Lanes.cpp alone, which compiles these loops for what a machine has.
#pragma once

#include "layout/Lanes.h"

#include <algorithm>
#include <array>
#include <bit>

namespace sparsec::lanes {

inline constexpr int kLanes = LaneProgram::kLanes;
using Numbers = std::array<int64_t, kLanes>;
/// What stands for an unbounded value: beyond every value of an expression that is narrow.
inline constexpr int64_t kFar = int64_t{1} << 60;

struct Slot {
  Numbers low, high; ///< high is not written while `points`
  std::array<Truths, kLanes> truths;
  bool points = true;

  void spread() {
    if (points)
      high = low;
    points = false;
  }
};

/// Floor quotients by one divisor: by shift, else by an estimate in double that is corrected, else
/// by division.
static inline void quotients(const Numbers &from, int64_t divisor, Numbers &to) {
  constexpr int64_t kExact = int64_t{1} << 50;
  if (std::has_single_bit(static_cast<uint64_t>(divisor))) {
    int shift = std::countr_zero(static_cast<uint64_t>(divisor));
    for (int i = 0; i < kLanes; ++i)
      to[i] = from[i] >> shift;
    return;
  }
  bool near = divisor < kExact;
  for (int i = 0; i < kLanes; ++i)
    near &= from[i] > -kExact && from[i] < kExact;
  if (!near) {
    for (int i = 0; i < kLanes; ++i)
      to[i] = floorDivide(from[i], divisor);
    return;
  }
  double inverse = 1.0 / static_cast<double>(divisor);
  for (int i = 0; i < kLanes; ++i) {
    // Off by at most one, and one more for rounding towards 0.
    int64_t x = from[i];
    auto quotient = static_cast<int64_t>(static_cast<double>(x) * inverse);
    int64_t rest = x - quotient * divisor;
    int64_t below = (rest < 0) + (rest + divisor < 0);
    to[i] = quotient - below + (rest >= divisor);
  }
}

template <class Function>
void eachPoint(Slot &a, const Slot &b, Function function) {
  for (int i = 0; i < kLanes; ++i)
    a.low[i] = function(a.low[i], b.low[i]);
}

/// A function that rises in its first operand, and rises or falls in its second.
template <bool Falls, class Function>
void monotone(Slot &a, Slot &b, Function function) {
  if (a.points && b.points)
    return eachPoint(a, b, function);
  a.spread();
  const Numbers &highest = b.points ? b.low : b.high;
  for (int i = 0; i < kLanes; ++i) {
    int64_t low = b.low[i], high = highest[i];
    a.low[i] = function(a.low[i], Falls ? high : low);
    a.high[i] = function(a.high[i], Falls ? low : high);
  }
}

template <class Function>
void corners(Slot &a, Slot &b, Function function) {
  if (a.points && b.points)
    return eachPoint(a, b, function);
  a.spread();
  b.spread();
  for (int i = 0; i < kLanes; ++i) {
    int64_t w = function(a.low[i], b.low[i]), x = function(a.low[i], b.high[i]);
    int64_t y = function(a.high[i], b.low[i]), z = function(a.high[i], b.high[i]);
    a.low[i] = std::min(std::min(w, x), std::min(y, z));
    a.high[i] = std::max(std::max(w, x), std::max(y, z));
  }
}

static inline void negate(Slot &a) {
  if (a.points)
    return eachPoint(a, a, [](int64_t x, int64_t) { return -x; });
  for (int i = 0; i < kLanes; ++i) {
    int64_t low = a.low[i];
    a.low[i] = -a.high[i];
    a.high[i] = -low;
  }
}

static inline void absolute(Slot &a) {
  if (a.points)
    return eachPoint(a, a, [](int64_t x, int64_t) { return x < 0 ? -x : x; });
  for (int i = 0; i < kLanes; ++i) {
    int64_t low = a.low[i], high = a.high[i];
    a.low[i] = std::max<int64_t>(0, std::max(low, -high));
    a.high[i] = std::max(-low, high);
  }
}

static inline void divideBy(Slot &a, int64_t divisor) {
  if (!a.points)
    quotients(a.high, divisor, a.high);
  quotients(a.low, divisor, a.low);
}

static inline void remainderBy(Slot &a, int64_t divisor) {
  Numbers lowest, highest;
  quotients(a.low, divisor, lowest);
  if (a.points) {
    for (int i = 0; i < kLanes; ++i)
      a.low[i] -= lowest[i] * divisor;
    return;
  }
  quotients(a.high, divisor, highest);
  for (int i = 0; i < kLanes; ++i) {
    bool same = lowest[i] == highest[i];
    a.low[i] = same ? a.low[i] - lowest[i] * divisor : 0;
    a.high[i] = same ? a.high[i] - lowest[i] * divisor : divisor - 1;
  }
}

/// By a divisor that is no positive number of all lanes.
template <bool Remainder>
void divide(Slot &a, Slot &b) {
  if (a.points && b.points)
    return eachPoint(a, b, [](int64_t x, int64_t y) {
      return y == 0 ? 0 : Remainder ? floorModulo(x, y) : floorDivide(x, y);
    });
  a.spread();
  b.spread();
  for (int i = 0; i < kLanes; ++i) {
    int64_t low = a.low[i], high = a.high[i], from = b.low[i], to = b.high[i];
    if (from <= 0 && to >= 0) {
      a.low[i] = -kFar;
      a.high[i] = kFar;
    } else if (int64_t quotient = floorDivide(low, from);
               Remainder && from == to && quotient == floorDivide(high, from)) {
      a.low[i] = low - quotient * from; // exact where all are single values, as all steps are
      a.high[i] = high - quotient * from;
    } else if (!Remainder) {
      int64_t all[] = {floorDivide(low, from), floorDivide(low, to), floorDivide(high, from),
                       floorDivide(high, to)};
      a.low[i] = *std::min_element(all, all + 4);
      a.high[i] = *std::max_element(all, all + 4);
    } else if (to < 0) {
      a.low[i] = from + 1;
      a.high[i] = 0;
    } else if (low < 0 || high >= from) {
      a.low[i] = 0;
      a.high[i] = to - 1;
    }
  }
}

static inline void hash(Slot &a, Slot &b, Slot &c) {
  bool points = a.points && b.points && c.points;
  for (Slot *slot : {&a, &b, &c})
    if (!points)
      slot->spread();
  if (points) {
    for (int i = 0; i < kLanes; ++i) {
      uint32_t x = static_cast<uint32_t>(a.low[i]) * 0x9E3779B1u +
                   static_cast<uint32_t>(b.low[i]) * 0x85EBCA77u +
                   static_cast<uint32_t>(c.low[i]) * 0xC2B2AE3Du;
      x ^= x >> 16;
      x *= 0x7FEB352Du;
      x ^= x >> 15;
      x *= 0x846CA68Bu;
      x ^= x >> 16;
      a.low[i] = x;
    }
    return;
  }
  for (int i = 0; i < kLanes; ++i) {
    bool one = a.low[i] == a.high[i] && b.low[i] == b.high[i] && c.low[i] == c.high[i];
    a.low[i] = one ? hash32(a.low[i], b.low[i], c.low[i]) : 0;
    a.high[i] = one ? a.low[i] : (int64_t{1} << 32) - 1;
  }
}

/// A function that rises.
template <class Function>
void rising(Slot &a, Function function) {
  for (int i = 0; i < kLanes; ++i)
    a.low[i] = function(a.low[i]);
  for (int i = 0; !a.points && i < kLanes; ++i)
    a.high[i] = function(a.high[i]);
}

/// x[0] = drawn(x[0], x[1], x[2], x[3])
static inline void drawn(Slot *x) {
  bool points = x[0].points && x[1].points && x[2].points && x[3].points;
  if (points) {
    for (int i = 0; i < kLanes; ++i)
      x[0].low[i] = drawnValue(x[0].low[i], x[1].low[i], x[2].low[i], x[3].low[i]);
    return;
  }
  for (int operand = 0; operand < 4; ++operand)
    x[operand].spread();
  for (int i = 0; i < kLanes; ++i) {
    bool one = true;
    for (int operand = 0; operand < 4; ++operand)
      one = one && x[operand].low[i] == x[operand].high[i];
    int64_t most = std::clamp<int64_t>(x[2].high[i], 1, kMostDrawnFrom) - 1;
    x[0].low[i] = one ? drawnValue(x[0].low[i], x[1].low[i], x[2].low[i], x[3].low[i]) : 0;
    x[0].high[i] = one ? x[0].low[i] : most;
  }
}

/// x[0] = x[1] where x[0] holds, x[2] where it does not, any value of both where that is open.
static inline void choose(Slot *x) {
  using namespace truths;
  Slot &condition = x[0], &a = x[1], &b = x[2];
  bool open = false;
  for (Truths t : condition.truths)
    open = open || (t & kUnknown) == kUnknown;
  condition.points = a.points && b.points && !open;
  if (condition.points) {
    for (int i = 0; i < kLanes; ++i)
      condition.low[i] = condition.truths[i] & kMayBeTrue ? a.low[i] : b.low[i];
    return;
  }
  a.spread();
  b.spread();
  for (int i = 0; i < kLanes; ++i) {
    Truths t = condition.truths[i] & kUnknown;
    condition.low[i] = t == kMayBeTrue    ? a.low[i]
                       : t == kMayBeFalse ? b.low[i]
                                          : std::min(a.low[i], b.low[i]);
    condition.high[i] = t == kMayBeTrue    ? a.high[i]
                        : t == kMayBeFalse ? b.high[i]
                                           : std::max(a.high[i], b.high[i]);
  }
}

/// The truth of `below(a, b)`, which holds the sooner the less a and the more b are.
template <class Function>
void compare(Slot &a, const Slot &b, Function below) {
  using namespace truths;
  if (a.points && b.points) {
    for (int i = 0; i < kLanes; ++i)
      a.truths[i] = below(a.low[i], b.low[i]) ? kTrue : kFalse;
    return;
  }
  const Numbers &highA = a.points ? a.low : a.high, &highB = b.points ? b.low : b.high;
  for (int i = 0; i < kLanes; ++i) {
    bool may = below(a.low[i], highB[i]), must = below(highA[i], b.low[i]);
    a.truths[i] = must ? kTrue : may ? kUnknown : kFalse;
  }
}

static inline void equal(Slot &a, const Slot &b) {
  using namespace truths;
  if (a.points && b.points) {
    for (int i = 0; i < kLanes; ++i)
      a.truths[i] = a.low[i] == b.low[i] ? kTrue : kFalse;
    return;
  }
  const Numbers &highA = a.points ? a.low : a.high, &highB = b.points ? b.low : b.high;
  for (int i = 0; i < kLanes; ++i) {
    bool apart = a.low[i] > highB[i] || b.low[i] > highA[i];
    bool one = a.low[i] == highA[i] && b.low[i] == highB[i];
    a.truths[i] = apart ? kFalse : one ? kTrue : kUnknown;
  }
}

static inline Truths opposite(Truths t) {
  return static_cast<Truths>((t & 5) << 1 | (t & 10) >> 1);
}

/// `apart`: no axis is below both, so that what is somewhere true in each is so together.
static inline Truths both(Truths a, Truths b, Truths apart) {
  using namespace truths;
  Truths may = (a & b & kMayBeTrue) | ((a | b) & kMayBeFalse);
  Truths everywhereA = (~a & kMayBeFalse) << 1, everywhereB = (~b & kMayBeFalse) << 1;
  Truths someTrue = (a & (everywhereB | apart)) | (b & everywhereA);
  return may | (someTrue & a & b & kSomeTrue) | ((a | b) & kSomeFalse);
}

static inline void join(Op op, Slot &a, const Slot &b, bool apart) {
  Truths independent = apart ? truths::kSomeTrue : 0;
  if (op == Op::And)
    for (int i = 0; i < kLanes; ++i)
      a.truths[i] = both(a.truths[i], b.truths[i], independent);
  else
    for (int i = 0; i < kLanes; ++i)
      a.truths[i] = opposite(both(opposite(a.truths[i]), opposite(b.truths[i]), independent));
}

/// Lanes past the count repeat the last one, so that all hold what an expression may meet.
template <class T>
void load(const T *from, bool one, int count, std::array<T, kLanes> &to) {
  if (one)
    return to.fill(*from);
  if (count == kLanes) {
    std::copy_n(from, kLanes, to.begin());
    return;
  }
  std::copy_n(from, count, to.begin());
  std::fill(to.begin() + count, to.end(), from[count - 1]);
}

static inline void load(const Cells &from, bool ofTruths, int count, Slot &to) {
  if (ofTruths)
    return load(from.truths, from.one, count, to.truths);
  to.points = from.points;
  load(from.low, from.one, count, to.low);
  if (!from.points)
    load(from.high, from.one, count, to.high);
}

} // namespace sparsec::lanes
