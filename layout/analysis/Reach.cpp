#include "layout/analysis/Reach.h"

#include "layout/Parallel.h"
#include "layout/Period.h"
#include "layout/Reader.h"
#include "layout/Specialise.h"
#include "layout/analysis/ReachDifferences.h"
#include "layout/analysis/Stretches.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace sparsec {

namespace {

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

/// Layer after layer; in each, positions in batches: their keys are read in turn, what they know is
/// painted side by side.
class Walk {
public:
  explicit Walk(const ReachRequest &request)
      : request(request), n(request.n), threads(threadsFor(request.threads)), works(threads) {
    for (Work &each : works)
      canvases.emplace_back(n, &each);
  }

  Result<Reach> run() {
    for (size_t layer = 0; layer < request.layers.size(); ++layer) {
      bool last = layer + 1 == request.layers.size();
      if (Result<void> ok = walk(layer, last); !ok)
        return ok.error();
      if (last || (request.untilComplete && result.complete()))
        break;
    }
    return std::move(result);
  }
  const Work &spent() const { return work; }

private:
  static constexpr int64_t kBatch = 4096;

  Result<void> walk(size_t layer, bool last) {
    bool judged = last || request.untilComplete;
    if (judged)
      result = {.withoutKeys = std::move(result.withoutKeys)};
    result.withoutKeys.push_back(0);
    std::vector<Rows> heads;
    for (const ReachHead &head : request.layers[layer])
      heads.emplace_back(head, n, request.maximumBytes / 4, &work);
    Knowledge now(last ? 0 : n);
    int64_t bytes = 0;
    for (int64_t first = 0; first < n; first += kBatch) {
      int64_t count = std::min(kBatch, n - first);
      readKeys(heads, first, count);
      paintKnown(count);
      for (int64_t i = 0; i < count; ++i) {
        if (judged)
          judge(first + i, known[i], result);
        if (last)
          continue;
        bytes += bytesOf(known[i]);
        now.of(first + i) = std::move(known[i]);
        known[i] = {};
      }
      if (bytes > request.maximumBytes)
        return tooLarge(layer);
      if (work.units > request.maximumUnits)
        return machineError(fmt::format(
            "to follow {} positions through {} layers takes more work than it may ({:.0f} s of a "
            "core, by position {} of layer {}); fewer positions take less",
            n, request.layers.size(), double(request.maximumUnits) / 1e9, first + count,
            layer + 1));
      if (request.progress)
        request.progress(count);
    }
    if (last || (request.untilComplete && result.complete()))
      return {};
    if (!now.group(n, request.maximumBytes, bytes, &work))
      return tooLarge(layer);
    before.emplace(std::move(now));
    return {};
  }

  Error tooLarge(size_t layer) const {
    return machineError(fmt::format("what {} positions know after layer {} takes more than {} "
                                    "bytes; fewer positions take less",
                                    n, layer + 1, request.maximumBytes));
  }

  /// Of positions first ..: what they take something from in this layer.
  void readKeys(std::vector<Rows> &heads, int64_t first, int64_t count) {
    known.resize(count);
    Canvas canvas(n, &work);
    for (int64_t i = 0; i < count; ++i) {
      for (Rows &head : heads)
        canvas.paint(head.read(first + i));
      canvas.take(known[i]);
      result.withoutKeys.back() += known[i].empty();
      if (request.residual == ReachRequest::Residual::Without)
        continue;
      auto position = static_cast<int32_t>(first + i);
      canvas.paint(known[i]);
      canvas.paint({position, position + 1});
      canvas.take(known[i]);
    }
  }

  /// From the keys to what they know.
  void paintKnown(int64_t count) {
    if (!before)
      return;
    for (Work &each : works)
      each = {};
    constexpr int64_t kFew = 256; // are done before a thread has begun
    int64_t items = std::min<int64_t>(threads, (count + kFew - 1) / kFew);
    inParallel(threads, items, [&](int64_t item) {
      Stretches keys;
      for (int64_t i = item * count / items; i < (item + 1) * count / items; ++i) {
        std::swap(keys, known[i]);
        for (const Stretch &stretch : keys)
          before->paint(stretch, canvases[item]);
        canvases[item].take(known[i]);
      }
    });
    for (const Work &each : works)
      work.add(each);
  }

  const ReachRequest &request;
  int64_t n;
  int threads;
  Work work;
  std::vector<Work> works; ///< of each canvas
  std::vector<Canvas> canvases;
  std::optional<Knowledge> before;
  std::vector<Stretches> known; ///< of a batch: first its keys
  Reach result;
};

} // namespace

Result<Reach> reach(const ReachRequest &request) {
  if (Result<void> checked = check(request); !checked)
    return checked.error();
  Work work;
  std::optional<Reach> found = reachByDifferences(request, work);
  if (request.work)
    request.work->add(work);
  if (found)
    return *std::move(found);
  Walk walk(request);
  Result<Reach> walked = walk.run();
  if (request.work)
    request.work->add(walk.spent());
  return walked;
}

} // namespace sparsec
