#include "kernel/ops/DecodeNumbers.h"

#include <algorithm>

namespace sparsec {

std::vector<DecodeGroup> decodeGroups(const Heads &heads, int64_t headsPerKvHead, bool alike) {
  std::vector<DecodeGroup> groups;
  for (int64_t place = 0; place < heads.count; ++place) {
    auto kvHead = static_cast<int32_t>((heads.first + place * heads.step) / headsPerKvHead);
    if (alike && !groups.empty() && groups.back().kvHead == kvHead &&
        groups.back().heads < AttentionDecodeRequest::kRows)
      ++groups.back().heads;
    else
      groups.push_back({kvHead, static_cast<int32_t>(place), 1});
  }
  return groups;
}

Result<LaunchNumbers> decodeNumbers(const AttentionDecodeRequest &request, int64_t most,
                                    const Heads &heads, BlockSource source, int threads) {
  if (Result<void> ok = checkDecodable(request.attend, most, heads); !ok)
    return ok.error();
  LayoutRequest rows{.nq = most, .nk = most, .q0 = 0, .blockQ = 1, .blockK = request.block.k};
  rows.threads = threads;
  return launchNumbers(request.attend, rows, request.queryOrder, request.keyOrder, heads, source);
}

int64_t decodeSlices(const BlockCounts &blocks, int64_t rows, int64_t places) {
  constexpr int64_t kItems = 512, kMost = 64, kFewest = 4;
  // Of a causal pattern the last row has twice the blocks of the mean one.
  int64_t longest = rows > 0 ? (2 * blocks.live + rows - 1) / rows : 0;
  int64_t wanted = (kItems + places - 1) / std::max<int64_t>(places, 1);
  return std::clamp<int64_t>(std::min(wanted, longest / kFewest), 1, kMost);
}

} // namespace sparsec
