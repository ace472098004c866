#include "layout/analysis/Reach.h"

#include "layout/Period.h"
#include "layout/Reader.h"
#include "layout/Specialise.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace sparsec {

namespace {

/// Positions [begin, end).
struct Stretch {
  int32_t begin = 0, end = 0;
};
using Stretches = std::vector<Stretch>; // ascending, not touching

int64_t bytesOf(const Stretches &stretches) {
  return static_cast<int64_t>(stretches.capacity() * sizeof(Stretch) + sizeof(Stretches));
}

void append(Stretches &stretches, Stretch next) {
  if (!stretches.empty() && stretches.back().end == next.begin)
    stretches.back().end = next.end;
  else
    stretches.push_back(next);
}

/// A set of positions that unions are painted on: the stretches as they come; once they are many, a
/// bit for each position.
class Canvas {
public:
  Canvas(int64_t n, Work *work) : words((n + 63) / 64), work(work) {}

  void paint(const Stretch &stretch) {
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
  void paint(const Stretches &stretches) {
    Work::add(work, &Work::runs, static_cast<int64_t>(stretches.size()));
    for (const Stretch &stretch : stretches)
      paint(stretch);
  }

  /// What was painted; then the canvas is empty.
  void take(Stretches &result) {
    result.clear();
    if (onWords)
      takeWords(result);
    else
      takeFew(result);
    Work::add(work, &Work::runs, static_cast<int64_t>(result.size()));
  }

private:
  static constexpr size_t kMany = 64;

  void paintWords(const Stretch &stretch) {
    size_t first = stretch.begin / 64, last = (stretch.end - 1) / 64;
    uint64_t head = ~uint64_t{0} << (stretch.begin % 64);
    uint64_t tail = ~uint64_t{0} >> (63 - (stretch.end - 1) % 64);
    Work::add(work, &Work::words, static_cast<int64_t>(last - first) + 1);
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

  void takeWords(Stretches &result) {
    Work::add(work, &Work::words, static_cast<int64_t>(high - low));
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

  void takeFew(Stretches &result) {
    std::sort(few.begin(), few.end(),
              [](const Stretch &a, const Stretch &b) { return a.begin < b.begin; });
    for (const Stretch &next : few)
      if (!result.empty() && next.begin <= result.back().end)
        result.back().end = std::max(result.back().end, next.end);
      else
        result.push_back(next);
    few.clear();
  }

  Stretches few;
  bool onWords = false; ///< all that was painted is there, and `few` is empty
  std::vector<uint64_t> words;
  size_t low = words.size(), high = 0; ///< all others are 0
  Work *work;
};

/// The keys of one head's queries 0, 1, 2, ... in turn. Where the predicate repeats along the
/// diagonals, a row is an earlier one moved, and the keys that come in at the left.
class Rows {
public:
  Rows(const ReachHead &head, int64_t n, int64_t mostBytes, Work *work)
      : n(n), mostBytes(mostBytes), attend(bound(head, n)), reader(attend, head.h, {n, n}, work),
        work(work) {
    if (std::optional<int64_t> p = period(attend, kDiagonal); p && *p <= n / 2) {
      earlier.resize(*p);
    }
  }

  /// Of query q, one more than the query before.
  const Stretches &read(int64_t q) {
    row.clear();
    auto p = static_cast<int64_t>(earlier.size());
    if (p == 0 || q < p) {
      find(q, {.first = 0, .step = 1, .count = n});
    } else {
      find(q, {.first = 0, .step = 1, .count = p});
      for (const Stretch &stretch : earlier[q % p]) {
        int64_t end = std::min(stretch.end + p, n);
        if (stretch.begin + p < end)
          append(row, {static_cast<int32_t>(stretch.begin + p), static_cast<int32_t>(end)});
      }
    }
    Work::add(work, &Work::runs, static_cast<int64_t>(row.size()));
    if (p)
      keep(row, earlier[q % p]);
    return row;
  }

private:
  static Expr bound(const ReachHead &head, int64_t n) {
    Range all = {.first = 0, .step = 1, .count = n};
    return specialise(head.attend, {all, all}, head.h, {n, n});
  }

  void keep(const Stretches &from, Stretches &place) {
    keptBytes -= bytesOf(place);
    place = from;
    keptBytes += bytesOf(place);
    if (keptBytes > mostBytes)
      earlier = {}; // from here on each row is found by itself
  }

  void find(int64_t q, const Range &keys) {
    if (keys.count <= 64) {
      uint64_t truths = reader.row(q, keys.first, 1, static_cast<int>(keys.count));
      for (int at = 0; at < keys.count;) {
        at += std::min(std::countr_zero(truths >> at), 64 - at);
        int length = at < 64 ? std::countr_one(truths >> at) : 0;
        if (length)
          append(row, {static_cast<int32_t>(keys.first + at),
                       static_cast<int32_t>(keys.first + at + length)});
        at += std::max(length, 1);
      }
      return;
    }
    switch (reader.classify({{.first = q, .step = 1, .count = 1}, keys})) {
    case Coverage::Empty:
      return;
    case Coverage::Full:
      return append(row, {static_cast<int32_t>(keys.first), static_cast<int32_t>(keys.last() + 1)});
    case Coverage::Mixed:
      break;
    }
    auto [left, right] = halves(keys);
    find(q, left);
    find(q, right);
  }

  int64_t n, mostBytes, keptBytes = 0;
  Expr attend;
  Reader reader;
  Work *work;
  std::vector<Stretches> earlier; ///< of the last period's queries, by q mod period
  Stretches row;
};

/// What each position knows, and each aligned group of 2^level positions together.
class Knowledge {
public:
  explicit Knowledge(int64_t n) : levels(1) { levels[0].resize(n); }

  Stretches &of(int64_t position) { return levels[0][position]; }

  /// Once all positions are there; false when it takes more than this.
  bool group(int64_t n, int64_t mostBytes, int64_t bytes, Work *work) {
    Canvas canvas(n, work);
    while (levels.back().size() > 1) {
      const std::vector<Stretches> &below = levels.back();
      std::vector<Stretches> level(below.size() / 2);
      for (size_t i = 0; i < level.size(); ++i) {
        canvas.paint(below[2 * i]);
        canvas.paint(below[2 * i + 1]);
        canvas.take(scratch);
        level[i] = scratch;
        bytes += bytesOf(level[i]);
        if (bytes > mostBytes)
          return false;
      }
      levels.push_back(std::move(level));
    }
    return true;
  }

  /// What the positions of a stretch know.
  void paint(const Stretch &stretch, Canvas &canvas) const {
    for (int64_t at = stretch.begin; at < stretch.end;) {
      size_t level = 0;
      while (level + 1 < levels.size() && at % (int64_t{2} << level) == 0 &&
             at + (int64_t{2} << level) <= stretch.end)
        ++level;
      canvas.paint(levels[level][at >> level]);
      at += int64_t{1} << level;
    }
  }

private:
  std::vector<std::vector<Stretches>> levels;
  Stretches scratch;
};

/// Adds what a position cannot know, of itself and all before.
void judge(int64_t position, const Stretches &known, Reach &result) {
  result.pairs += position + 1;
  int64_t reached = 0, firstGap = 0;
  for (const Stretch &stretch : known) {
    int64_t end = std::min<int64_t>(stretch.end, position + 1);
    if (stretch.begin >= end)
      break;
    if (stretch.begin == firstGap)
      firstGap = end;
    reached += end - stretch.begin;
  }
  result.unreachable += position + 1 - reached;
  if (reached <= position && !result.first)
    result.first = Reach::Pair{firstGap, position};
}

Result<void> check(const ReachRequest &request) {
  constexpr int64_t kMost = int64_t{1} << 24;
  if (request.n < 1 || request.n > kMost)
    return inputError(fmt::format("expected 1 .. {} positions, found {}", kMost, request.n));
  if (request.layers.empty())
    return inputError("expected at least one layer, found none");
  return {};
}

} // namespace

Result<Reach> reach(const ReachRequest &request) {
  if (Result<void> checked = check(request); !checked)
    return checked.error();
  int64_t n = request.n;
  Reach result;
  result.withoutKeys.resize(request.layers.size());
  std::optional<Knowledge> before;
  Canvas canvas(n, request.work);
  Stretches keys, known;
  for (size_t layer = 0; layer < request.layers.size(); ++layer) {
    bool last = layer + 1 == request.layers.size();
    std::vector<Rows> heads;
    for (const ReachHead &head : request.layers[layer])
      heads.emplace_back(head, n, request.maximumBytes / 4, request.work);
    Knowledge now(last ? 0 : n);
    int64_t bytes = 0;
    for (int64_t i = 0; i < n; ++i) {
      for (Rows &head : heads)
        canvas.paint(head.read(i));
      canvas.take(keys);
      result.withoutKeys[layer] += keys.empty();
      canvas.paint(keys);
      if (request.residual == ReachRequest::Residual::With)
        canvas.paint({static_cast<int32_t>(i), static_cast<int32_t>(i + 1)});
      canvas.take(keys);
      if (before) {
        for (const Stretch &stretch : keys)
          before->paint(stretch, canvas);
        canvas.take(known);
      } else {
        known = keys;
      }
      if (last) {
        judge(i, known, result);
        continue;
      }
      now.of(i) = known;
      bytes += bytesOf(now.of(i));
      if (bytes > request.maximumBytes)
        break;
    }
    if (!last &&
        (bytes > request.maximumBytes || !now.group(n, request.maximumBytes, bytes, request.work)))
      return machineError(fmt::format("what {} positions know after layer {} takes more than {} "
                                      "bytes; fewer positions take less",
                                      n, layer + 1, request.maximumBytes));
    if (!last)
      before.emplace(std::move(now));
  }
  return result;
}

} // namespace sparsec
