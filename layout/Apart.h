// A predicate taken apart by what its parts depend on: the query alone, the key alone, how far they
// are from each other, or both in a way of its own.
//
//   k <= q and (k == 5 or k == 77 or q // 64 == k // 64 or q - k == 9)
//
//   of differences d = q - k    d >= 0          d == 9
//   of keys                     k == 5 or k == 77         k // 64
//   of queries                  q // 64
//   the core                    d1 and (k1 or d2 or q1 == k2)
//
// What depends on one number alone is worked out once for each of its values, or stretch of them,
// however many pairs there are; the core is short, and is asked many pairs or cells at a time.
#pragma once

#include "layout/Lanes.h"

namespace sparsec {

/// Parts are expressions in the leaf k, which stands for the query, the key or the difference.
struct Apart {
  std::vector<Expr> ofQueries, ofKeys, ofDifferences;
  LaneProgram core; ///< its sources: the parts of queries, then of keys, then of differences

  size_t parts() const { return ofQueries.size() + ofKeys.size() + ofDifferences.size(); }
};

enum class Differences : uint8_t { Apart, InTheCore };

/// Of a predicate whose constants are integers (as specialise() leaves it); nothing when it is not
/// narrow. Parts of differences are predicates.
std::optional<Apart> takeApart(const Expr &predicate, Differences differences = Differences::Apart);

/// An expression in the leaf k alone over many stretches of it.
class PartProgram {
public:
  explicit PartProgram(const Expr &part)
      : program(part,
                [](const Expr &e) { return e->op == Op::Key ? std::optional(0) : std::nullopt; }) {}
  void truths(std::span<const int64_t> low, std::span<const int64_t> high, Truths *result) const;
  /// True when each is one value; `high` is written all the same.
  bool integers(std::span<const int64_t> low, std::span<const int64_t> high, int64_t *lowest,
                int64_t *highest) const;
  int64_t size() const { return program.size(); }

private:
  LaneProgram program;
};

} // namespace sparsec
