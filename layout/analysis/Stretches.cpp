#include "layout/analysis/Stretches.h"

#include <algorithm>
#include <bit>

namespace sparsec {

int64_t bytesOf(const Stretches &stretches) {
  return static_cast<int64_t>(stretches.capacity() * sizeof(Stretch) + sizeof(Stretches));
}

void append(Stretches &stretches, Stretch next) {
  if (!stretches.empty() && stretches.back().end == next.begin)
    stretches.back().end = next.end;
  else
    stretches.push_back(next);
}

void Canvas::paint(const Stretch &stretch) {
  if (onWords)
    return paintWords(stretch);
  // What groups of neighbours know comes in order, and mostly touches.
  if (!few.empty() && few.back().begin <= stretch.begin && stretch.begin <= few.back().end) {
    few.back().end = std::max(few.back().end, stretch.end);
    return;
  }
  few.push_back(stretch);
  if (few.size() < kMany)
    return;
  onWords = true;
  for (const Stretch &each : few)
    paintWords(each);
  few.clear();
}

void Canvas::paint(const Stretches &stretches) {
  Work::add(work, &Work::runs, static_cast<int64_t>(stretches.size()));
  for (const Stretch &stretch : stretches)
    paint(stretch);
}

void Canvas::take(Stretches &result) {
  result.clear();
  if (onWords)
    takeWords(result);
  else
    takeFew(result);
  Work::add(work, &Work::runs, static_cast<int64_t>(result.size()));
}

void Canvas::paintWords(const Stretch &stretch) {
  size_t first = stretch.begin / 64, last = (stretch.end - 1) / 64;
  uint64_t head = ~uint64_t{0} << (stretch.begin % 64);
  uint64_t tail = ~uint64_t{0} >> (63 - (stretch.end - 1) % 64);
  Work::add(work, &Work::words, static_cast<int64_t>(last - first) + 1, 1);
  low = std::min(low, first);
  high = std::max(high, last + 1);
  if (first == last) {
    words[first] |= head & tail;
    return;
  }
  words[first] |= head;
  std::fill(words.begin() + first + 1, words.begin() + last, ~uint64_t{0});
  words[last] |= tail;
}

void Canvas::takeWords(Stretches &result) {
  Work::add(work, &Work::words, static_cast<int64_t>(high - low), 1);
  for (size_t i = low; i < high; ++i) {
    auto base = static_cast<int32_t>(64 * i);
    if (words[i] == ~uint64_t{0})
      append(result, {base, base + 64});
    else
      for (uint64_t left = words[i]; left;) {
        int begin = std::countr_zero(left);
        int length = std::countr_one(left >> begin);
        append(result, {base + begin, base + begin + length});
        left &= left + (uint64_t{1} << begin); // carries over the ones
      }
    words[i] = 0;
  }
  low = words.size();
  high = 0;
  onWords = false;
}

void Canvas::takeFew(Stretches &result) {
  std::sort(few.begin(), few.end(),
            [](const Stretch &a, const Stretch &b) { return a.begin < b.begin; });
  for (const Stretch &next : few)
    if (!result.empty() && next.begin <= result.back().end)
      result.back().end = std::max(result.back().end, next.end);
    else
      result.push_back(next);
  few.clear();
}

} // namespace sparsec
