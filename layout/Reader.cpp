#include "layout/Reader.h"

#include <algorithm>
#include <bit>

namespace sparsec {

int64_t Reader::countRow(int64_t q, const Range &keys) const {
  constexpr int64_t kWidth = 64, kNarrow = 8;
  int64_t found = 0;
  for (int64_t begin = 0; begin < keys.count; begin += kWidth) {
    int64_t first = keys.first + begin * keys.step;
    int64_t count = std::min(kWidth, keys.count - begin);
    if (count >= kNarrow)
      found += std::popcount(row(q, first, keys.step, static_cast<int>(count)));
    else
      for (int64_t i = 0; i < count; ++i)
        found += at(q, first + i * keys.step);
  }
  return found;
}

} // namespace sparsec
