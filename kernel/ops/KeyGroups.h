// The kv heads that a launch of attention backward's pass over keys gives to, as its kernels are
// told of them: a group for each y of the grid.
//
//   8 heads, 4 kv heads      group     kv head  first  heads  role
//   a launch for heads       0 1       0        0      2      0
//   0 1 2 5; another one     2         1        2      1      2: head 3 is another launch's, later
//   after it for head 3      5         2        3      1      0
//
// dk and dv of a kv head that several launches give to meet in f32 memory (dk_sums, dv_sums): the
// first starts from zero, the last one leaves the gradients.
#pragma once

#include "layout/HeadTables.h"

#include <span>

namespace sparsec {

/// Four integers of the kernels' `groups`.
struct KeyGroup {
  static constexpr int32_t kGoesOn = 1; ///< the sums go on from memory
  static constexpr int32_t kStays = 2;  ///< they stay there

  int32_t kvHead = 0;
  int32_t first = 0; ///< of its heads, among those of the launch
  int32_t heads = 0;
  int32_t role = 0; ///< bits of the above
  bool operator==(const KeyGroup &) const = default;
};

/// Of launch `at` of those that give to the same dk and dv, in the order they run.
std::vector<KeyGroup> keyGroups(std::span<const Heads> launches, size_t at, int64_t headsPerKvHead);

} // namespace sparsec
