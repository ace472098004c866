#include "layout/CountBlocks.h"

#include "layout/DecideBlock.h"
#include "layout/Parallel.h"
#include "layout/Period.h"
#include "layout/Specialise.h"
#include "layout/Weight.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace sparsec {

namespace {

/// Open rectangles of an estimated row that are followed at each level; of long predicates fewer.
constexpr int64_t kMostFollowed = 128, kLeastFollowed = 8;

/// One count, and what it may take.
class Counting {
public:
  Counting(const Expr &attend, int64_t h, const Sizes &sizes, int64_t keysOfBlock, int64_t most,
           Work &work)
      : h(h), sizes(sizes), keysOfBlock(keysOfBlock), most(most), work(work),
        whole(prepared(attend)) {}

  BlockCounts count(const Section &q, const Section &k) { return count(whole, q, k); }
  /// What was counted is not all.
  bool stopped() const { return work.units > most; }
  BlockCounts estimate(const Section &q, const std::vector<Section> &keys);

private:
  struct Prepared {
    Expr expr;
    Reader reader;
  };
  /// A digit of each axis.
  struct Digits {
    size_t q, k;
  };
  /// A run of rectangles on one side of the diagonal of equal ones: rectangle i is i shifts further
  /// along the digit that moves.
  struct Side {
    Section q, k;          ///< the axis that moves: all of its values
    bool down;             ///< the queries move
    size_t digit;          ///< that moves
    int64_t values;        ///< of it in a rectangle
    int64_t along, across; ///< rectangles on this side, and on the other
    std::pair<Section, Section> rectangles(int64_t first, int64_t count) const;
  };

  Prepared prepared(const Expr &expr) { return {expr, Reader(expr, h, sizes, &work)}; }
  /// What is left of a predicate there.
  Prepared left(const Prepared &predicate, const Section &q, const Section &k);
  BlockCounts count(const Prepared &predicate, const Section &q, const Section &k);
  BlockCounts countUndecided(const Prepared &predicate, const Section &q, const Section &k);
  std::optional<BlockCounts> countRepeated(const Prepared &predicate, const Section &q,
                                           const Section &k, bool down);
  std::optional<BlockCounts> countDiagonals(const Prepared &predicate, const Section &q,
                                            const Section &k);
  BlockCounts countDiagonals(const Prepared &predicate, const Section &q, const Section &k,
                             const Digits &digits, int64_t down, int64_t right);
  BlockCounts countSide(const Prepared &predicate, const Side &side, int64_t first, int64_t last);
  std::optional<int64_t> periodOf(const Prepared &predicate, Direction direction);
  BlockCounts all(const Section &q, const Section &k) const {
    return blocks(q.tiles() * k.tiles(), Coverage::Full, k);
  }
  /// Blocks with these keys; those with too few are not full.
  BlockCounts blocks(int64_t count, Coverage coverage, const Section &k) const;
  BlockCounts single(const Prepared &predicate, const Section &q, const Section &k) const;

  int64_t h;
  Sizes sizes;
  int64_t keysOfBlock, most;
  Work &work;
  Prepared whole;
};

BlockCounts operator+(const BlockCounts &a, const BlockCounts &b) {
  return {.live = a.live + b.live, .full = a.full + b.full, .partial = a.partial + b.partial};
}
BlockCounts operator*(int64_t times, const BlockCounts &a) {
  return {.live = times * a.live, .full = times * a.full, .partial = times * a.partial};
}

BlockCounts Counting::blocks(int64_t count, Coverage coverage, const Section &k) const {
  if (coverage == Coverage::Empty)
    return {};
  if (coverage == Coverage::Full && k.tokens == keysOfBlock)
    return {.live = count, .full = count, .partial = 0};
  return {.live = count, .full = 0, .partial = count};
}

BlockCounts Counting::single(const Prepared &predicate, const Section &q, const Section &k) const {
  BlockDecider decider(predicate.reader, work, most);
  return blocks(1, decider.decide(q.positions(), k.positions()), k);
}

Counting::Prepared Counting::left(const Prepared &predicate, const Section &q, const Section &k) {
  Work::add(&work, &Work::questions, 1, 100 + 40 * predicate.expr->size);
  Expr shorter = specialise(predicate.expr, {q.around(), k.around()}, h, sizes);
  return shorter == predicate.expr ? predicate : prepared(shorter);
}

BlockCounts Counting::count(const Prepared &predicate, const Section &q, const Section &k) {
  if (stopped())
    return {};
  switch (predicate.reader.classify({q.around(), k.around()})) {
  case Coverage::Empty:
    return {};
  case Coverage::Full:
    return all(q, k);
  case Coverage::Mixed:
    break;
  }
  if (q.single() && k.single())
    return single(predicate, q, k);
  return countUndecided(left(predicate, q, k), q, k);
}

BlockCounts Counting::countUndecided(const Prepared &predicate, const Section &q,
                                     const Section &k) {
  for (bool down : {false, true})
    if (std::optional<BlockCounts> found = countRepeated(predicate, q, k, down))
      return *found;
  if (std::optional<BlockCounts> found = countDiagonals(predicate, q, k))
    return *found;
  bool cutQueries = k.single() || (!q.single() && q.around().count * q.around().step >
                                                      k.around().count * k.around().step);
  const Section &cut = cutQueries ? q : k;
  size_t digit = cut.widest();
  int64_t values = cut.digits[digit].count;
  int64_t first = halves(Range{cut.base, cut.digits[digit].step, values}).first.count;
  Section before = cut.slice(digit, 0, first), after = cut.slice(digit, first, values - first);
  if (cutQueries)
    return count(predicate, before, k) + count(predicate, after, k);
  return count(predicate, q, before) + count(predicate, q, after);
}

std::optional<int64_t> Counting::periodOf(const Prepared &predicate, Direction direction) {
  Work::add(&work, &Work::questions, 1, 40 + 20 * predicate.expr->size);
  return period(predicate.expr, direction);
}

/// Across or down, along one digit: whole periods, and the rest.
std::optional<BlockCounts> Counting::countRepeated(const Prepared &predicate, const Section &q,
                                                   const Section &k, bool down) {
  const Section &moves = down ? q : k;
  for (size_t digit = 0; digit < moves.digits.size(); ++digit) {
    auto [values, step] = moves.digits[digit];
    std::optional<int64_t> p = periodOf(predicate, {down ? step : 0, down ? 0 : step});
    if (!p || *p > values / 2)
      continue;
    auto of = [&](int64_t first, int64_t count) -> BlockCounts {
      if (count == 0)
        return {};
      Section part = moves.slice(digit, first, count);
      return down ? this->count(predicate, part, k) : this->count(predicate, q, part);
    };
    int64_t times = values / *p;
    return times * of(0, *p) + of(times * *p, values % *p);
  }
  return std::nullopt;
}

/// Along a digit of each axis, the pair that moves the furthest.
std::optional<BlockCounts> Counting::countDiagonals(const Prepared &predicate, const Section &q,
                                                    const Section &k) {
  constexpr int64_t kMostStep = int64_t{1} << 31; // of periods
  std::optional<Digits> best;
  int64_t furthest = 0, down = 0, right = 0;
  for (size_t i = 0; i < q.digits.size(); ++i)
    for (size_t j = 0; j < k.digits.size(); ++j) {
      int64_t a = q.digits[i].step, b = k.digits[j].step, step = std::lcm(a, b);
      if (step >= kMostStep)
        continue;
      std::optional<int64_t> p = periodOf(predicate, {step, step});
      if (!p || *p > q.digits[i].count / 2 || *p > k.digits[j].count / 2)
        continue;
      int64_t x = step / a * *p, y = step / b * *p;
      int64_t reach = std::min(q.digits[i].count * a, k.digits[j].count * b);
      if (x > q.digits[i].count / 2 || y > k.digits[j].count / 2 || reach <= furthest)
        continue;
      best = {i, j};
      furthest = reach;
      down = x;
      right = y;
    }
  if (!best)
    return std::nullopt;
  return countDiagonals(predicate, q, k, *best, down, right);
}

BlockCounts Counting::countDiagonals(const Prepared &predicate, const Section &q, const Section &k,
                                     const Digits &digits, int64_t down, int64_t right) {
  int64_t ofQueries = q.digits[digits.q].count, ofKeys = k.digits[digits.k].count;
  int64_t rows = ofQueries / down, columns = ofKeys / right;
  Side below = {q, k.slice(digits.k, 0, right), true, digits.q, down, rows, columns};
  Side above = {q.slice(digits.q, 0, down), k, false, digits.k, right, columns, rows};
  BlockCounts found =
      countSide(predicate, below, 0, rows) + countSide(predicate, above, 1, columns);
  if (int64_t rest = ofQueries % down)
    found = found + count(predicate, q.slice(digits.q, rows * down, rest), k);
  if (int64_t rest = ofKeys % right)
    found = found + count(predicate, q.slice(digits.q, 0, rows * down),
                          k.slice(digits.k, columns * right, rest));
  return found;
}

std::pair<Section, Section> Counting::Side::rectangles(int64_t first, int64_t count) const {
  if (down)
    return {q.slice(digit, first * values, count * values), k};
  return {q, k.slice(digit, first * values, count * values)};
}

/// The rectangles [first, last) of a side, each times the length of its diagonal.
BlockCounts Counting::countSide(const Prepared &predicate, const Side &side, int64_t first,
                                int64_t last) {
  if (first >= last || stopped())
    return {};
  auto weight = [&](int64_t from, int64_t stride) {
    return diagonalWeight(side.along, side.across, from, stride, last);
  };
  auto [q, k] = side.rectangles(first, 1);
  if (last - first == 1)
    return weight(first, 1) * count(predicate, q, k);
  auto [allQ, allK] = side.rectangles(first, last - first);
  Prepared here = left(predicate, allQ, allK);
  if (here.expr->op == Op::False)
    return {};
  if (here.expr->op == Op::True)
    return weight(first, 1) * all(q, k);
  int64_t step = side.values * (side.down ? side.q : side.k).digits[side.digit].step;
  std::optional<int64_t> stride =
      periodOf(here, side.down ? Direction{step, 0} : Direction{0, step});
  if (stride && *stride <= (last - first) / 2) {
    BlockCounts found;
    for (int64_t i = first; i < first + *stride && !stopped(); ++i) {
      auto [oneQ, oneK] = side.rectangles(i, 1);
      found = found + weight(i, *stride) * count(here, oneQ, oneK);
    }
    return found;
  }
  int64_t middle = first + (last - first) / 2;
  return countSide(here, side, first, middle) + countSide(here, side, middle, last);
}

BlockCounts Counting::estimate(const Section &q, const std::vector<Section> &keys) {
  struct Open {
    Section k;
    double weight = 1;
  };
  std::vector<Open> open;
  for (const Section &k : keys)
    open.push_back({k});
  double full = 0, partial = 0;
  uint32_t level = 0;
  constexpr int64_t kShort = 64; // operators and leaves
  auto followed = static_cast<size_t>(
      std::clamp(kMostFollowed * kShort / whole.reader.size(), kLeastFollowed, kMostFollowed));
  while (!open.empty()) {
    std::vector<Open> next;
    ++level;
    for (const Open &each : open) {
      BlockCounts found;
      switch (whole.reader.classify({q.around(), each.k.around()})) {
      case Coverage::Empty:
        continue;
      case Coverage::Full:
        found = all(q, each.k);
        break;
      case Coverage::Mixed:
        if (!each.k.single()) {
          size_t digit = each.k.widest();
          int64_t values = each.k.digits[digit].count, half = values / 2;
          next.push_back({each.k.slice(digit, 0, half), each.weight});
          next.push_back({each.k.slice(digit, half, values - half), each.weight});
          continue;
        }
        found = single(whole, q, each.k);
        break;
      }
      full += each.weight * double(found.full);
      partial += each.weight * double(found.partial);
    }
    open.clear();
    // One of each two neighbours, by a hash, stands for both.
    bool thin = next.size() > followed;
    for (size_t i = 0; i < next.size(); ++i) {
      bool alone = i + 1 == next.size() && i % 2 == 0;
      if (!thin || alone)
        open.push_back(std::move(next[i]));
      else if (hash32(level, static_cast<int64_t>(i / 2), 0) % 2 == i % 2)
        open.push_back({std::move(next[i].k), 2 * next[i].weight});
    }
  }
  BlockCounts counts{.live = 0, .full = std::llround(full), .partial = std::llround(partial)};
  counts.live = counts.full + counts.partial;
  return counts;
}

} // namespace

BlockCounter::BlockCounter(const Expr &expr, const LayoutRequest &request, const Order &queries,
                           const Order &keys)
    : attend(expr), h(request.h), q0(request.q0), sizes(request.sizes()), queries(queries),
      ofQueries(sectionsOf(queries)), ofKeys(sectionsOf(keys)), keysOfBlock(keys.tile()) {
  if (request.nq == 0 || request.nk == 0)
    return;
  // Constants become integers: periods are found only where divisors are.
  Rectangle all = {{.first = q0, .step = 1, .count = request.nq},
                   {.first = 0, .step = 1, .count = request.nk}};
  attend = specialise(attend, all, h, sizes);
  if (ofQueries)
    for (Section &section : *ofQueries)
      section = section.moved(q0);
}

std::optional<BlockCounts> BlockCounter::all(int64_t most, Work &work) const {
  if (ofTables())
    return std::nullopt;
  Work own;
  Counting counting(attend, h, sizes, keysOfBlock, most, own);
  BlockCounts found;
  for (const Section &q : *ofQueries)
    for (const Section &k : *ofKeys)
      found = found + counting.count(q, k);
  work.add(own);
  return counting.stopped() ? std::nullopt : std::optional(found);
}

std::optional<BlockCounts> BlockCounter::row(int64_t row, int64_t most, Work &work) const {
  if (ofTables())
    return std::nullopt;
  std::optional<Section> q = sectionOf(queries, row);
  BlockCounts found;
  if (!q)
    return found;
  Work own;
  Counting counting(attend, h, sizes, keysOfBlock, most, own);
  for (const Section &k : *ofKeys)
    found = found + counting.count(q->moved(q0), k);
  work.add(own);
  return counting.stopped() ? std::nullopt : std::optional(found);
}

BlockCounts BlockCounter::estimateRow(int64_t row, Work &work) const {
  std::optional<Section> q = sectionOf(queries, row);
  if (!q)
    return {};
  Counting counting(attend, h, sizes, keysOfBlock, std::numeric_limits<int64_t>::max(), work);
  return counting.estimate(q->moved(q0), *ofKeys);
}

RowCounts BlockCounter::rows(std::span<const int64_t> rows, int threads, Work *work) const {
  constexpr int64_t kUnitsOfRow = 1'000'000;
  RowCounts counts;
  counts.rows.resize(rows.size());
  std::vector<Work> works(rows.size());
  std::vector<char> estimated(rows.size());
  inParallel(threads, std::ssize(rows), [&](int64_t i) {
    std::optional<BlockCounts> exact = row(rows[i], kUnitsOfRow, works[i]);
    estimated[i] = !exact;
    counts.rows[i] = exact ? *exact : estimateRow(rows[i], works[i]);
  });
  for (size_t i = 0; i < rows.size(); ++i) {
    counts.exact = counts.exact && !estimated[i];
    if (work)
      work->add(works[i]);
  }
  return counts;
}

} // namespace sparsec
