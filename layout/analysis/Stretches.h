// Sets of positions as stretches of neighbours, and a canvas on which unions of them are painted.
#pragma once

#include "layout/Work.h"

#include <cstdint>
#include <vector>

namespace sparsec {

/// Positions [begin, end).
struct Stretch {
  int32_t begin = 0, end = 0;
};
using Stretches = std::vector<Stretch>; // ascending, not touching

int64_t bytesOf(const Stretches &stretches);
/// One that begins at the end of the last or after it.
void append(Stretches &stretches, Stretch next);

/// A set of positions that unions are painted on: the stretches as they come; once they are many, a
/// bit for each position.
class Canvas {
public:
  Canvas(int64_t n, Work *work) : words((n + 63) / 64), work(work) {}

  void paint(const Stretch &stretch);
  void paint(const Stretches &stretches);
  /// What was painted; then the canvas is empty.
  void take(Stretches &result);

private:
  static constexpr size_t kMany = 64;

  void paintWords(const Stretch &stretch);
  void takeWords(Stretches &result);
  void takeFew(Stretches &result);

  Stretches few;
  bool onWords = false; ///< all that was painted is there, and `few` is empty
  std::vector<uint64_t> words;
  size_t low = words.size(), high = 0; ///< all others are 0
  Work *work;
};

} // namespace sparsec
