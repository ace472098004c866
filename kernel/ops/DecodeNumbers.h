// What launches of decode's kernels need beside their tensors: the blocks of every position, the
// heads that work items take together, and in how many slices a position's blocks are dealt.
//
//   16 heads, 4 kv heads, heads 1 3 5 ... of an entry       groups    kv head  first  heads
//   (a predicate that mentions h: a group for each)         1 3       0        0      2
//                                                           5 7       1        2      2   ...
//
// The blocks depend on the greatest length alone, the groups on the heads. Slices may be any number
// from 1 on: sequences x groups x queries x slices items run side by side.
#pragma once

#include "kernel/ops/AttentionDecode.h"
#include "layout/LaunchNumbers.h"

namespace sparsec {

/// Heads of one kv head that a work item takes: three integers of the kernels' `groups`.
struct DecodeGroup {
  int32_t kvHead = 0;
  int32_t first = 0; ///< of its heads, among those of the launch
  int32_t heads = 0;
  bool operator==(const DecodeGroup &) const = default;
};

/// `alike`: the heads see the same; those that do not have a group each.
std::vector<DecodeGroup> decodeGroups(const Heads &heads, int64_t headsPerKvHead, bool alike);

/// A row for each position below `most`. Errors of checkDecodable() and launchNumbers().
Result<LaunchNumbers> decodeNumbers(const AttentionDecodeRequest &request, int64_t most,
                                    const Heads &heads, BlockSource source, int threads = 0);

/// So many that there is work for a GPU, each of a few blocks at least. `blocks`: of `rows` rows;
/// `places`: sequences x groups x queries.
int64_t decodeSlices(const BlockCounts &blocks, int64_t rows, int64_t places);

} // namespace sparsec
