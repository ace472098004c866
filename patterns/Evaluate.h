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

/// hash(q, k, seed): a stated 32-bit hash, 0 <= result < 2^32, equal on every device.
/// x = low32(q) * 0x9E3779B1 + low32(k) * 0x85EBCA77 + low32(seed) * 0xC2B2AE3D (mod 2^32), then
/// x ^= x >> 16; x *= 0x7FEB352D; x ^= x >> 15; x *= 0x846CA68B; x ^= x >> 16.
int64_t hash32(int64_t q, int64_t k, int64_t seed);

int64_t floorDivide(int64_t a, int64_t b);
int64_t floorModulo(int64_t a, int64_t b);

} // namespace sparsec
