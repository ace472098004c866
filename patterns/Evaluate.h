// The meaning of a predicate: its truth at one point. Every other reading is tested against this
// one.
#pragma once

#include "patterns/Expr.h"

namespace sparsec {

/// What a predicate is evaluated under.
struct Point {
  int64_t h = 0;
  int64_t q = 0; ///< position: row index + q0
  int64_t k = 0;
};

struct Sizes {
  int64_t nq = 0; ///< query rows
  int64_t nk = 0; ///< keys; `n` in patterns
};

/// Truth of a predicate at a point. Both positions may lie anywhere in 64 bits that parse accepted.
bool evaluate(const Expr &predicate, const Point &point, const Sizes &sizes);
/// Value of an integer expression at a point.
int64_t evaluateInteger(const Expr &expr, const Point &point, const Sizes &sizes);

/// A predicate made ready for many points of one head: h and the sizes are bound, constants folded,
/// the tree flattened. at() is some ten times faster than evaluate(), row() per key faster still.
/// Safe to use from several threads.
class Evaluator {
public:
  Evaluator(const Expr &predicate, int64_t h, const Sizes &sizes);

  bool at(int64_t q, int64_t k) const;
  /// Bit i is the truth at key `first + i * step`, for i < count <= 64.
  uint64_t row(int64_t q, int64_t first, int64_t step, int count) const;
  int64_t size() const { return static_cast<int64_t>(steps.size()); } ///< operators and leaves

private:
  Expr predicate;
  struct Step {
    Op op;
    int64_t value = 0;
    const IntegerList *list = nullptr; ///< of a Segment; `predicate` keeps it
  };
  int compile(const Expr &expr, int64_t h, const Sizes &sizes); ///< the stack it needs
  std::vector<Step> steps;                                      ///< postfix
  int stackNeeded = 1;
};

/// hash(q, k, seed): a stated 32-bit hash, 0 <= result < 2^32, equal on every device.
/// x = low32(q) * 0x9E3779B1 + low32(k) * 0x85EBCA77 + low32(seed) * 0xC2B2AE3D (mod 2^32), then
/// x ^= x >> 16; x *= 0x7FEB352D; x ^= x >> 15; x *= 0x846CA68B; x ^= x >> 16.
int64_t hash32(int64_t q, int64_t k, int64_t seed);

/// drawn(place, i, m, seed), the value at a place (taken modulo m) of an order of 0..m-1 that i and
/// seed choose: for each i and seed, places 0..m-1 give each value once. m is brought into
/// [1, 2^31 - 1]; x = place mod m, then for c = 0, 1, ... 7
///   a = hash(i, c, seed), y = (a - x) mod m, and x = y if hash(max(x, y), a, c) is odd,
/// each an exchange of pairs (x, a - x); last x = (x + hash(i, 8, seed)) mod m.
int64_t drawnValue(int64_t place, int64_t i, int64_t m, int64_t seed);
inline constexpr int kDrawRounds = 8;
inline constexpr int64_t kMostDrawnFrom = (int64_t(1) << 31) - 1;

/// The greatest e with 2^e <= x; -1 below 1.
int64_t floorLog2(int64_t x);

int64_t floorDivide(int64_t a, int64_t b);
int64_t floorModulo(int64_t a, int64_t b);

} // namespace sparsec
