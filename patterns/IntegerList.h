// A constant list of integers that a pattern looks values up in.
//
//   params: {ends: [5, 9, 40]}     segment(t, ends): 0 for t < 5, 1 for 5 <= t < 9, 2, 3 for t >= 40
//                                  k in ends: k is 5, 9 or 40
//
// `k in ends` is said by the borders of the list's runs: k is a member where it has an odd number
// of borders at or before it. So the language has one operation on lists, a search.
//
//   members 5 6 7  20       borders 5 8  20 21       segment(k, borders) % 2 == 1
//
// Refused: no entries, more than kMostEntries, entries outside 32 bits less the last ones.
#pragma once

#include "patterns/Error.h"

#include <cstdint>

namespace sparsec {

struct IntegerList {
  std::vector<int32_t> values;  ///< ascending; equal ones may be neighbours
  std::vector<int32_t> members; ///< of a list of borders: what is in; ascending, each once
  std::string name;             ///< for printing: of a parameter; empty: none

  /// How many of the values are at most x.
  int64_t countUpTo(int64_t x) const;
};
using ListRef = std::shared_ptr<const IntegerList>;

inline constexpr size_t kMostEntries = 100'000;
/// What an entry may be: one less at either end than 32 bits have.
inline constexpr int64_t kLeastEntry = -2'147'483'647, kMostEntry = 2'147'483'646;

/// Sorts. The values are in range and not too many: see checkEntries().
ListRef makeList(std::vector<int64_t> values, std::string name = {});
/// The list of borders for `in`.
ListRef bordersOf(const IntegerList &list);
/// Why these are no list's entries; nothing when they are.
std::optional<std::string> checkEntries(const std::vector<int64_t> &values,
                                        size_t most = kMostEntries);

/// The same values (names do not count).
bool sameValues(const ListRef &a, const ListRef &b);
/// A total order on values: below 0, 0 or above 0.
int compareValues(const ListRef &a, const ListRef &b);

/// The integers of a text, separated by blanks, commas or lines. Each error points at the number.
Result<ListRef> readList(std::shared_ptr<const SourceText> text);

} // namespace sparsec
