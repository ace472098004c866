// How handlers compute: for the 32 lanes at once, in loops that the compiler makes into vector
// code.
//
// All lanes are computed, also those that are not active; only active ones are written. So an
// operation must be defined for any bits (no traps, no undefined shifts).
#pragma once

#include "runtime/sim/Machine.h"

#include <bit>
#include <cstring>
#include <type_traits>

namespace sparsec::sim {

/// 8- to 32-bit values live in 32-bit lanes, 64-bit ones in 64-bit lanes.
template <class T>
using LaneOf = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

template <class T>
inline T fromLane(LaneOf<T> bits) {
  if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>)
    return __builtin_bit_cast(T, bits);
  else
    return static_cast<T>(bits);
}

template <class T>
inline LaneOf<T> toLane(T value) {
  if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>)
    return __builtin_bit_cast(LaneOf<T>, value);
  else
    return static_cast<LaneOf<T>>(static_cast<std::make_unsigned_t<T>>(value));
}

/// Writes the active lanes of a column.
template <class Lane>
inline void put(Warp &w, int32_t o, const Lane *values) {
  Lane *to = w.out<Lane>(o);
  if (w.mask == ~0u) {
    std::memcpy(to, values, 32 * sizeof(Lane));
    return;
  }
  uint32_t mask = w.mask;
  for (int i = 0; i < 32; ++i)
    to[i] = (mask >> i & 1) ? values[i] : to[i];
}

inline void putPredicate(Warp &w, int32_t index, uint32_t values) {
  uint32_t &to = w.preds[index];
  to = (to & ~w.mask) | (values & w.mask);
}

/// One bit per lane.
template <class Condition>
inline uint32_t bitsWhere(Condition condition) {
  uint32_t bits = 0;
  for (int i = 0; i < 32; ++i)
    bits |= condition(i) ? 1u << i : 0;
  return bits;
}

template <class T, class R = T, class Op>
inline void unary(Warp &w, const Inst &in, Op op) {
  const LaneOf<T> *a = w.in<LaneOf<T>>(in.a);
  alignas(64) LaneOf<R> out[32];
  for (int i = 0; i < 32; ++i)
    out[i] = toLane<R>(op(fromLane<T>(a[i])));
  put(w, in.dst, out);
}

template <class T, class R = T, class Op>
inline void binary(Warp &w, const Inst &in, Op op) {
  const LaneOf<T> *a = w.in<LaneOf<T>>(in.a), *b = w.in<LaneOf<T>>(in.b);
  alignas(64) LaneOf<R> out[32];
  for (int i = 0; i < 32; ++i)
    out[i] = toLane<R>(op(fromLane<T>(a[i]), fromLane<T>(b[i])));
  put(w, in.dst, out);
}

template <class T, class R = T, class Op>
inline void ternary(Warp &w, const Inst &in, Op op) {
  const LaneOf<T> *a = w.in<LaneOf<T>>(in.a), *b = w.in<LaneOf<T>>(in.b);
  const LaneOf<R> *c = w.in<LaneOf<R>>(in.c);
  alignas(64) LaneOf<R> out[32];
  for (int i = 0; i < 32; ++i)
    out[i] = toLane<R>(op(fromLane<T>(a[i]), fromLane<T>(b[i]), fromLane<R>(c[i])));
  put(w, in.dst, out);
}

} // namespace sparsec::sim
