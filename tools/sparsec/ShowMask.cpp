// sparsec show --npy: the element mask of every head of the model, as a NumPy array.
#include "patterns/Files.h"
#include "tools/sparsec/Show.h"
#include "tools/sparsec/import/Npy.h"

#include <fmt/core.h>

namespace sparsec::cli {

Result<void> writeMask(const ShowOptions &options, const std::vector<LoadedPattern> &patterns) {
  constexpr int64_t kMostPairs = int64_t(1) << 32;
  if (patterns.size() != 1)
    return inputError("--npy: writes the mask of one pattern");
  const LoadedPattern &loaded = patterns[0];
  if (loaded.layers.size() != 1)
    return inputError(fmt::format("--npy: writes the mask of one layer: --layer 0 .. {}",
                                  loaded.distinct[0].of - 1));
  Lengths at = loaded.at(options.n(loaded));
  if (at.nq > kMostPairs / at.n / loaded.heads)
    return inputError(
        fmt::format("--npy: expected at most {} pairs of all heads, found {} x {} x {}", kMostPairs,
                    loaded.heads, at.nq, at.n));
  std::vector<Evaluator> heads;
  std::vector<int> entries(static_cast<size_t>(loaded.heads));
  for (const auto &[entry, own] : usesOf(loaded.layers[0], loaded.heads))
    for (int64_t i = 0; i < own.count; ++i)
      entries[own.first + i * own.step] = entry;
  for (size_t h = 0; h < entries.size(); ++h)
    heads.emplace_back(loaded.pattern.heads[entries[h]].attend, static_cast<int64_t>(h),
                       Sizes{.nq = at.nq, .nk = at.n});
  return writeWhole(options.npy, [&](std::FILE *file) {
    std::string header = npyHeader(std::vector<int64_t>{loaded.heads, at.nq, at.n});
    bool good = std::fwrite(header.data(), 1, header.size(), file) == header.size();
    std::string row(static_cast<size_t>(at.n), '\0');
    constexpr int64_t kWidth = 64;
    for (const Evaluator &head : heads)
      for (int64_t q = 0; good && q < at.nq; ++q) {
        for (int64_t k = 0; k < at.n; k += kWidth) {
          int count = static_cast<int>(std::min(kWidth, at.n - k));
          uint64_t bits = head.row(at.q0 + q, k, 1, count);
          for (int i = 0; i < count; ++i)
            row[k + i] = static_cast<char>(bits >> i & 1);
        }
        good = std::fwrite(row.data(), 1, row.size(), file) == row.size();
      }
    return good;
  });
}

} // namespace sparsec::cli
