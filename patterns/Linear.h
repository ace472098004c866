// Integer expressions as sums of multiples of atoms: how Simplify sees them.
//
//   q - k + 3 - (k - 1)  ->  1 q  -2 k  +4           (2 * q + 5) // 4  ->  1 ((q + 2) // 2)
//
// An atom is a leaf, or an operator that is not a sum: a quotient or remainder in lowest terms, a
// min, max, abs or hash, a product of two sums. Equal values of these kinds become equal sums, so
// comparing is comparing terms.
#pragma once

#include "patterns/Classify.h"

#include <map>

namespace sparsec {

/// A total order on structure: below 0, 0 (the same as equal()) or above 0. Leaves come first, and
/// q before k.
int compare(const Expr &a, const Expr &b);

struct Linear {
  struct Before {
    bool operator()(const Expr &a, const Expr &b) const { return compare(a, b) < 0; }
  };
  std::map<Expr, int64_t, Before> terms; ///< none is 0
  int64_t constant = 0;

  bool operator==(const Linear &other) const;
};

/// An expression as a sum. Where a coefficient would leave 64 bits, the expression is one atom.
Linear linear(const Expr &expr);

/// a * factor + b; nothing when a coefficient leaves 64 bits.
std::optional<Linear> combine(const Linear &a, int64_t factor, const Linear &b);

/// The sum as an expression: what is added first, then what is subtracted, the constant last.
Expr render(const Linear &sum);

__extension__ typedef __int128 Wide;
struct WideBounds {
  Wide low, high;
};
/// Bounds wherever a pattern has a meaning, k < n included.
WideBounds boundsOf(const Linear &sum);

} // namespace sparsec
