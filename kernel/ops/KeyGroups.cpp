#include "kernel/ops/KeyGroups.h"

namespace sparsec {
namespace {

int64_t kvHeadOf(const Heads &heads, int64_t i, int64_t headsPerKvHead) {
  return (heads.first + i * heads.step) / headsPerKvHead;
}

bool gives(const Heads &heads, int64_t kvHead, int64_t headsPerKvHead) {
  for (int64_t i = 0; i < heads.count; ++i)
    if (kvHeadOf(heads, i, headsPerKvHead) == kvHead)
      return true;
  return false;
}

} // namespace

std::vector<KeyGroup> keyGroups(std::span<const Heads> launches, size_t at,
                                int64_t headsPerKvHead) {
  const Heads &own = launches[at];
  std::vector<KeyGroup> groups;
  for (int64_t i = 0; i < own.count; ++i) {
    int64_t kvHead = kvHeadOf(own, i, headsPerKvHead);
    if (!groups.empty() && groups.back().kvHead == kvHead) {
      ++groups.back().heads;
      continue;
    }
    int32_t role = 0;
    for (size_t other = 0; other < launches.size(); ++other)
      if (other != at && gives(launches[other], kvHead, headsPerKvHead))
        role |= other < at ? KeyGroup::kGoesOn : KeyGroup::kStays;
    groups.push_back({static_cast<int32_t>(kvHead), static_cast<int32_t>(i), 1, role});
  }
  return groups;
}

} // namespace sparsec
