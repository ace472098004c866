// Rewrites a predicate so that queries and keys meet as late and as cheaply as they can.
//
// A mask costs what is done per element; what depends on q alone or on k alone is done per row or
// per column of a tile, and for q once per kernel. So:
//
//   0 <= q - k and q - k < 128     q >= k and q - 128 < k           one comparison an element each
//   (q - k) % 128 == 0             q % 128 == k % 128               no division per element
//   (q - k) % 128 < 8              (q % 128 - k % 128) % 128 < 8    of a value in (-128, 128)
//   abs(q // 64 - k // 64) <= 3    q // 64 - 3 <= k // 64 and q // 64 + 3 >= k // 64
//
// The result is true at exactly the points where the input is. Where a rewriting could leave 64
// bits, the input is kept as it was.
#pragma once

#include "patterns/Classify.h"
#include "patterns/Expr.h"

#include <unordered_map>

namespace sparsec {

/// Which positions an expression depends on.
enum Positions : uint8_t { Neither = 0, OnQuery = 1, OnKey = 2, OnBoth = 3 };

/// What is known of the nodes of a predicate, computed once for each.
class PredicateFacts {
public:
  Positions positions(const Expr &expr);
  /// Nothing when the value, or one on the way to it, may leave 64 bits.
  std::optional<Bounds> bounds(const Expr &integerExpr);

private:
  template <class Fact>
  using Table = std::unordered_map<Expr, Fact>; // keeps the nodes alive
  Table<Positions> positionsOf;
  Table<std::optional<Bounds>> boundsOf;
};

Expr separate(const Expr &predicate, PredicateFacts &facts);

} // namespace sparsec
