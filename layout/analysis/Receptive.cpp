#include "layout/analysis/Receptive.h"

#include <fmt/format.h>

namespace sparsec {

void PairSet::addRow(int64_t row, const PairSet &other, int64_t from) {
  for (int64_t word = 0; word < words; ++word)
    bits[row * words + word] |= other.bits[from * words + word];
}

Result<std::vector<PairSet>> receptive(const ReachRequest &request) {
  int64_t n = request.n;
  if (n < 1 || n > kMostReceptive)
    return inputError(fmt::format("expected 1 .. {} positions for a picture of what they can know, "
                                  "found {}",
                                  kMostReceptive, n));
  std::vector<PairSet> after;
  for (const std::vector<ReachHead> &layer : request.layers) {
    PairSet now(n);
    for (const ReachHead &head : layer) {
      Evaluator evaluator(head.attend, head.h, {n, n});
      for (int64_t i = 0; i < n; ++i)
        for (int64_t first = 0; first < n; first += 64) {
          int count = static_cast<int>(std::min<int64_t>(64, n - first));
          uint64_t truths = evaluator.row(i, first, 1, count);
          for (int at = 0; at < count; ++at)
            if (truths >> at & 1)
              after.empty() ? now.add(i, first + at) : now.addRow(i, after.back(), first + at);
        }
    }
    if (request.residual == ReachRequest::Residual::With)
      for (int64_t i = 0; i < n; ++i)
        after.empty() ? now.add(i, i) : now.addRow(i, after.back(), i);
    after.push_back(std::move(now));
  }
  return after;
}

} // namespace sparsec
