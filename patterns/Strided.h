// What is known of an integer expression over a rectangle of positions: affine where it is, else an
// interval with a stride. The number domain of Classify.
//
// The rectangle's points are (i, j) -> (q.first + i q.step, k.first + j k.step), so q and k are
// affine in (i, j), and so are their sums, differences and multiples. Division and remainder by a
// constant stay affine while the progression does not cross a multiple of it:
//
//   q = 0, 4, 8, 12     q % 4 = 0 0 0 0     q // 4 = 0 1 2 3     q // 16 = 0     q // 8: interval
//
// An affine value has exact bounds, and the difference of two keeps what they have in common: that
// is how `k <= q` on a diagonal block and `0 <= q - k < l` come out exact.
//
// Int is int64_t where the pattern's values stay below 2^59, else a 128-bit integer.
#pragma once

#include "patterns/Classify.h"

#include <algorithm>

namespace sparsec::strided {

template <class Int>
Int floorDiv(Int a, Int b) {
  Int quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}
template <class Int>
Int floorMod(Int a, Int b) {
  return a - b * floorDiv(a, b);
}
template <class Int>
Int gcd(Int a, Int b) {
  a = a < 0 ? -a : a;
  b = b < 0 ? -b : b;
  while (b != 0) {
    Int rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/// Every value lies in [low, high] and is low modulo step() (0: low == high). When affine, the
/// value at (i, j) is base + perQ * i + perK * j, and low and high are attained.
template <class Int>
struct Value {
  Int low, high;
  bool affine;
  Int base, perQ, perK; ///< of an affine value
  Int stride;           ///< of an interval

  bool constant() const { return low == high; }
  Int step() const { return affine ? gcd(perQ, perK) : stride; }
};

/// The operators over one rectangle.
template <class Int>
class Domain {
public:
  explicit Domain(const Rectangle &rectangle)
      : rectangle(rectangle), lastQ(rectangle.q.count - 1), lastK(rectangle.k.count - 1) {}

  Value<Int> query() const { return affine(rectangle.q.first, lastQ ? rectangle.q.step : 0, 0); }
  Value<Int> key() const { return affine(rectangle.k.first, 0, lastK ? rectangle.k.step : 0); }
  Value<Int> number(Int value) const { return affine(value, 0, 0); }

  Value<Int> negate(const Value<Int> &a) const {
    if (a.affine)
      return affine(-a.base, -a.perQ, -a.perK);
    return interval(-a.high, -a.low, a.step(), -a.high);
  }
  Value<Int> add(const Value<Int> &a, const Value<Int> &b) const {
    if (a.affine && b.affine)
      return affine(a.base + b.base, a.perQ + b.perQ, a.perK + b.perK);
    return interval(a.low + b.low, a.high + b.high, gcd(a.step(), b.step()), a.low + b.low);
  }
  Value<Int> subtract(const Value<Int> &a, const Value<Int> &b) const { return add(a, negate(b)); }

  Value<Int> multiply(const Value<Int> &a, const Value<Int> &b) const {
    if (b.constant() && a.affine)
      return affine(a.base * b.low, a.perQ * b.low, a.perK * b.low);
    if (a.constant() && b.affine)
      return multiply(b, a);
    Int products[] = {a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high};
    // (low + step x)(low' + step' y), multiplied out.
    Int step = gcd(gcd(a.low * b.step(), b.low * a.step()), a.step() * b.step());
    return interval(*std::min_element(products, products + 4),
                    *std::max_element(products, products + 4), step, a.low * b.low);
  }

  Value<Int> floorDivide(const Value<Int> &a, const Value<Int> &b) const {
    if (b.constant() && b.low < 0)
      return floorDivide(negate(a), number(-b.low));
    if (b.constant() && b.low > 0)
      return divideBy(a, b.low);
    if (b.low <= 0 && b.high >= 0)
      return unknown();
    Int quotients[] = {floorDiv(a.low, b.low), floorDiv(a.low, b.high), floorDiv(a.high, b.low),
                       floorDiv(a.high, b.high)};
    Int low = *std::min_element(quotients, quotients + 4);
    return interval(low, *std::max_element(quotients, quotients + 4), 1, low);
  }

  Value<Int> modulo(const Value<Int> &a, const Value<Int> &b) const {
    if (b.low <= 0 && b.high >= 0)
      return unknown();
    if (b.high < 0) // a % b == -(-a % -b), as in Python
      return negate(modulo(negate(a), negate(b)));
    if (b.constant())
      return remainderBy(a, b.low);
    if (a.low >= 0 && a.high < b.low)
      return a;
    return interval(0, a.low >= 0 ? std::min(a.high, b.high - 1) : b.high - 1, 1, 0);
  }

  Value<Int> minimum(const Value<Int> &a, const Value<Int> &b) const {
    Value<Int> difference = subtract(a, b);
    if (difference.high <= 0)
      return a;
    if (difference.low >= 0)
      return b;
    return interval(std::min(a.low, b.low), std::min(a.high, b.high), commonStep(a, b), a.low);
  }
  Value<Int> maximum(const Value<Int> &a, const Value<Int> &b) const {
    return negate(minimum(negate(a), negate(b)));
  }
  Value<Int> absolute(const Value<Int> &a) const {
    if (a.low >= 0)
      return a;
    if (a.high <= 0)
      return negate(a);
    return interval(0, std::max(-a.low, a.high), commonStep(a, negate(a)), a.low);
  }
  Value<Int> hash(const Value<Int> &q, const Value<Int> &k, const Value<Int> &seed) const {
    if (q.constant() && k.constant() && seed.constant())
      return number(hash32(static_cast<int64_t>(q.low), static_cast<int64_t>(k.low),
                           static_cast<int64_t>(seed.low)));
    return interval(0, (Int(1) << 32) - 1, 1, 0);
  }

  Value<Int> log2(const Value<Int> &a) const {
    return interval(floorLog2(narrow(a.low)), floorLog2(narrow(a.high)), 1, 0);
  }
  Value<Int> segment(const Value<Int> &a, const IntegerList &list) const {
    return interval(list.countUpTo(narrow(a.low)), list.countUpTo(narrow(a.high)), 1, 0);
  }
  Value<Int> drawn(const Value<Int> &place, const Value<Int> &i, const Value<Int> &m,
                   const Value<Int> &seed) const {
    if (place.constant() && i.constant() && m.constant() && seed.constant())
      return number(drawnValue(narrow(place.low), narrow(i.low), narrow(m.low), narrow(seed.low)));
    return interval(0, std::clamp<Int>(m.high, 1, kMostDrawnFrom) - 1, 1, 0);
  }
  /// One of the two.
  Value<Int> either(const Value<Int> &a, const Value<Int> &b) const {
    return interval(std::min(a.low, b.low), std::max(a.high, b.high), commonStep(a, b), a.low);
  }

  /// The truth of `a - b` being below 0, at most 0, or 0.
  Coverage less(const Value<Int> &a, const Value<Int> &b) const {
    Value<Int> d = subtract(a, b);
    return d.high < 0 ? Coverage::Full : d.low >= 0 ? Coverage::Empty : Coverage::Mixed;
  }
  Coverage lessEqual(const Value<Int> &a, const Value<Int> &b) const {
    Value<Int> d = subtract(a, b);
    return d.high <= 0 ? Coverage::Full : d.low > 0 ? Coverage::Empty : Coverage::Mixed;
  }
  Coverage same(const Value<Int> &a, const Value<Int> &b) const {
    Value<Int> d = subtract(a, b);
    if (d.low > 0 || d.high < 0)
      return Coverage::Empty;
    if (d.constant())
      return Coverage::Full;
    Int step = d.step();
    return step > 1 && d.low % step != 0 ? Coverage::Empty : Coverage::Mixed;
  }

private:
  static int64_t narrow(Int value) { return static_cast<int64_t>(value); }

  Value<Int> affine(Int base, Int perQ, Int perK) const {
    Int spanQ = perQ * lastQ, spanK = perK * lastK;
    Value<Int> v;
    v.low = base + std::min<Int>(spanQ, 0) + std::min<Int>(spanK, 0);
    v.high = base + std::max<Int>(spanQ, 0) + std::max<Int>(spanK, 0);
    v.affine = true;
    v.base = base;
    v.perQ = perQ;
    v.perK = perK;
    return v;
  }

  /// The values of [low, high] that are `anchor` modulo step (step 0: nothing is known to repeat,
  /// the one value is low).
  Value<Int> interval(Int low, Int high, Int step, Int anchor) const {
    if (low == high)
      return number(low);
    Value<Int> v;
    v.affine = false;
    v.stride = step == 0 ? 1 : step;
    v.low = low;
    v.high = high;
    if (v.stride != 1) {
      v.low += floorMod<Int>(anchor - low, v.stride);
      v.high -= floorMod<Int>(high - anchor, v.stride);
    }
    return v.low == v.high ? number(v.low) : v;
  }

  /// Outside the positions that a pattern has a meaning for.
  Value<Int> unknown() const {
    Int far = Int(1) << 59;
    return interval(-far, far, 1, 0);
  }

  Int commonStep(const Value<Int> &a, const Value<Int> &b) const {
    return gcd(gcd(a.step(), b.step()), a.low - b.low);
  }

  /// The representative of a coefficient modulo m that is nearest to 0: it moves least.
  static Int balanced(Int coefficient, Int m) {
    if (coefficient < m - coefficient && -coefficient < m + coefficient)
      return coefficient;
    Int rest = floorMod(coefficient, m);
    return rest > m - rest ? rest - m : rest;
  }

  Value<Int> divideBy(const Value<Int> &a, Int m) const {
    if (a.affine) {
      Int restQ = balanced(a.perQ, m), restK = balanced(a.perK, m);
      Value<Int> rest = affine(a.base, restQ, restK);
      Int quotient = floorDiv(rest.low, m);
      if (quotient == floorDiv(rest.high, m))
        return affine(quotient, (a.perQ - restQ) / m, (a.perK - restK) / m);
    }
    Int low = floorDiv(a.low, m);
    Int step = a.step() % m == 0 ? a.step() / m : 1;
    return interval(low, floorDiv(a.high, m), step, low);
  }

  Value<Int> remainderBy(const Value<Int> &a, Int m) const {
    if (a.affine) {
      Value<Int> rest = affine(a.base, balanced(a.perQ, m), balanced(a.perK, m));
      Int quotient = floorDiv(rest.low, m);
      if (quotient == floorDiv(rest.high, m))
        return affine(rest.base - quotient * m, rest.perQ, rest.perK);
    }
    Int quotient = floorDiv(a.low, m);
    if (quotient == floorDiv(a.high, m))
      return interval(a.low - quotient * m, a.high - quotient * m, a.step(), a.low - quotient * m);
    Int step = gcd(a.step(), m);
    return interval(0, m - 1, step, floorMod(a.low, step));
  }

  Rectangle rectangle;
  Int lastQ, lastK;
};

} // namespace sparsec::strided
