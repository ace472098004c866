// countElements: rectangles that classify() decides count whole; what is left of the predicate on a
// rectangle often repeats, and then one period of it is counted and multiplied:
//
//   across or down                       along the diagonals, period p
//
//   a b | a b | a b |                    X0 Y1 Y2 | r     p x p blocks on one diagonal are equal:
//     count {a b} times 3                X1 X0 Y1 | r       3 |X0| + 2 |X1| + |X2| + 2 |Y1| + |Y2|
//                                        X2 X1 X0 | r     plus the rest r below and at the right
//
// or depends on numbers that seldom change (layout/CountSteps.h). Else the rectangle is cut in two.
// `causal or k < 64` is cut at 64 until the right part is causal
// alone: a handful of rectangles at any n.
#include "layout/BlockLayout.h"
#include "layout/CountSteps.h"
#include "layout/Cuts.h"
#include "layout/Parallel.h"
#include "layout/Period.h"
#include "layout/Reader.h"
#include "layout/Specialise.h"
#include "layout/Weight.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <tuple>

namespace sparsec {

namespace {

__extension__ typedef __int128 Wide;

/// Rectangles of so few pairs are evaluated.
constexpr int64_t kFewPairs = 32;
/// Below this, looking for structure costs more than cutting.
constexpr int64_t kManyPairs = 1024;
/// Below this, looking for where numbers change does.
constexpr int64_t kForSteps = int64_t{1} << 16;

Range part(const Range &range, int64_t first, int64_t count) {
  assert(range.step == 1);
  return {.first = range.first + first, .step = 1, .count = count};
}

class Counter {
public:
  Counter(const LayoutRequest &request, Work &work)
      : h(request.h), sizes(request.sizes()), threads(threadsFor(request.threads)),
        most(request.maximumUnits), work(&work) {}

  int64_t count(const Expr &predicate, const Rectangle &rectangle) const {
    return count(Prepared(predicate, h, sizes, work), rectangle);
  }
  /// What was counted is not all.
  bool stopped() const { return work->units > most; }

private:
  /// A predicate with its readings at hand.
  struct Prepared {
    Prepared(const Expr &expr, int64_t h, const Sizes &sizes, Work *work)
        : expr(expr), reader(expr, h, sizes, work), across(period(expr, kAcross)),
          down(period(expr, kDown)), diagonal(period(expr, kDiagonal)), cuts(expr) {}
    Expr expr;
    Reader reader;
    std::optional<int64_t> across, down, diagonal; ///< periods
    Cuts cuts;
  };

  /// A run of p x p blocks on one side of the block diagonal: block i starts p * i below (or at
  /// the right of) the corner.
  struct Diagonals {
    Rectangle corner;    ///< block 0: p x p
    Direction direction; ///< kDown or kAcross
    int64_t along;       ///< blocks on this side
    int64_t across;      ///< blocks on the other side
    int64_t p() const { return corner.q.count; }
    Rectangle blocks(int64_t first, int64_t count) const;
    int64_t weight(int64_t first, int64_t stride, int64_t end) const;
  };

  int64_t count(const Prepared &predicate, const Rectangle &rectangle) const;
  int64_t countUndecided(const Prepared &predicate, const Rectangle &rectangle) const;
  int64_t countRepeated(const Prepared &predicate, const Rectangle &rectangle, Direction direction,
                        int64_t p) const;
  int64_t countDiagonals(const Prepared &predicate, const Rectangle &rectangle, int64_t p) const;
  int64_t countSide(const Prepared &predicate, const Diagonals &side, int64_t first,
                    int64_t last) const;
  int64_t countEach(const Prepared &predicate, const Rectangle &rectangle) const;
  int64_t countHalves(const Prepared &predicate, const Rectangle &rectangle) const;
  int64_t countStretches(const Prepared &predicate, const Rectangle &rectangle, Op axis) const;

  int64_t h;
  Sizes sizes;
  int threads;
  int64_t most;
  Work *work;
};

int64_t Counter::count(const Prepared &predicate, const Rectangle &rectangle) const {
  int64_t pairs = area(rectangle);
  if (pairs <= kFewPairs)
    return pairs == 0 ? 0 : countEach(predicate, rectangle);
  if (stopped())
    return 0;
  switch (predicate.reader.classify(rectangle)) {
  case Coverage::Empty:
    return 0;
  case Coverage::Full:
    return pairs;
  case Coverage::Mixed:
    break;
  }
  if (pairs <= kManyPairs)
    return countHalves(predicate, rectangle);
  Work::add(work, &Work::questions, 1, 100 + 40 * predicate.expr->size);
  Expr shorter = specialise(predicate.expr, rectangle, h, sizes);
  if (shorter == predicate.expr)
    return countUndecided(predicate, rectangle);
  Prepared left(shorter, h, sizes, work);
  if (predicate.cuts.drawsByQuery() && !left.cuts.drawsByQuery())
    return countStretches(left, rectangle, Op::Key);
  if (predicate.cuts.drawsByKey() && !left.cuts.drawsByKey())
    return countStretches(left, rectangle, Op::Query);
  return countUndecided(left, rectangle);
}

/// What is drawn is known: cut where what is compared with it changes.
int64_t Counter::countStretches(const Prepared &predicate, const Rectangle &rectangle,
                                Op axis) const {
  Range Rectangle::*cut = axis == Op::Query ? &Rectangle::q : &Rectangle::k;
  const Range &all = rectangle.*cut;
  std::vector<int64_t> borders = bordersIn(predicate.expr, axis, all);
  if (borders.empty())
    return countUndecided(predicate, rectangle);
  borders.push_back(all.first + all.count);
  int64_t found = 0, first = all.first;
  for (int64_t border : borders) {
    Rectangle stretch = rectangle;
    stretch.*cut = {.first = first, .step = 1, .count = border - first};
    found += count(predicate, stretch);
    first = border;
  }
  return found;
}

int64_t Counter::countUndecided(const Prepared &predicate, const Rectangle &rectangle) const {
  const auto &[q, k] = rectangle;
  if (std::optional<int64_t> p = predicate.across; p && *p <= k.count / 2)
    return countRepeated(predicate, rectangle, kAcross, *p);
  if (std::optional<int64_t> p = predicate.down; p && *p <= q.count / 2)
    return countRepeated(predicate, rectangle, kDown, *p);
  if (std::optional<int64_t> p = predicate.diagonal; p && *p <= std::min(q.count, k.count) / 2)
    return countDiagonals(predicate, rectangle, *p);
  bool draws = predicate.cuts.drawsByQuery() || predicate.cuts.drawsByKey();
  if (area(rectangle) >= kForSteps && !draws) // what rows draw is found by its numbers
    if (std::optional<int64_t> found =
            countSteps(predicate.expr, rectangle, threads, most - work->units, *work))
      return *found;
  return countHalves(predicate, rectangle);
}

int64_t Counter::countHalves(const Prepared &predicate, const Rectangle &rectangle) const {
  auto [first, second] = predicate.cuts.of(rectangle);
  return count(predicate, first) + count(predicate, second);
}

int64_t Counter::countEach(const Prepared &predicate, const Rectangle &rectangle) const {
  int64_t found = 0;
  for (int64_t i = 0; i < rectangle.q.count; ++i)
    found += predicate.reader.countRow(rectangle.q.first + i, rectangle.k);
  return found;
}

/// Across or down: whole periods, and the rest.
int64_t Counter::countRepeated(const Prepared &predicate, const Rectangle &rectangle,
                               Direction direction, int64_t p) const {
  Rectangle once = rectangle, rest = rectangle;
  Range Rectangle::*axis = direction.q ? &Rectangle::q : &Rectangle::k;
  int64_t length = (rectangle.*axis).count;
  int64_t times = length / p;
  once.*axis = part(rectangle.*axis, 0, p);
  rest.*axis = part(rectangle.*axis, times * p, length % p);
  return times * count(predicate, once) + count(predicate, rest);
}

int64_t Counter::countDiagonals(const Prepared &predicate, const Rectangle &rectangle,
                                int64_t p) const {
  const auto &[q, k] = rectangle;
  int64_t down = q.count / p, right = k.count / p; // whole blocks of p x p
  Rectangle corner = {part(q, 0, p), part(k, 0, p)};
  Diagonals below = {corner, kDown, down, right};
  Diagonals above = {corner, kAcross, right, down};
  int64_t found = countSide(predicate, below, 0, down) + countSide(predicate, above, 1, right);

  Rectangle lower = {part(q, down * p, q.count % p), k};
  Rectangle rightmost = {part(q, 0, down * p), part(k, right * p, k.count % p)};
  return found + count(predicate, lower) + count(predicate, rightmost);
}

Rectangle Counter::Diagonals::blocks(int64_t first, int64_t count) const {
  Range q = {.first = corner.q.first + direction.q * first * p(), .step = 1, .count = p()};
  Range k = {.first = corner.k.first + direction.k * first * p(), .step = 1, .count = p()};
  (direction.q ? q : k).count = count * p();
  return {q, k};
}

int64_t Counter::Diagonals::weight(int64_t first, int64_t stride, int64_t end) const {
  return diagonalWeight(along, across, first, stride, end);
}

/// The blocks [first, last) of a side, each times the length of its diagonal.
int64_t Counter::countSide(const Prepared &predicate, const Diagonals &side, int64_t first,
                           int64_t last) const {
  if (first >= last)
    return 0;
  if (last - first == 1)
    return side.weight(first, 1, last) * count(predicate, side.blocks(first, 1));

  Work::add(work, &Work::questions, 1, 100 + 40 * predicate.expr->size);
  if (stopped())
    return 0;
  Expr expr = specialise(predicate.expr, side.blocks(first, last - first), h, sizes);
  if (expr->op == Op::False)
    return 0;
  if (expr->op == Op::True)
    return side.weight(first, 1, last) * side.p() * side.p();
  std::optional<Prepared> shorter;
  if (expr != predicate.expr)
    shorter.emplace(expr, h, sizes, work);
  const Prepared &here = shorter ? *shorter : predicate;

  if (std::optional<int64_t> s = side.direction.q ? here.down : here.across) {
    int64_t stride = std::lcm(*s, side.p()) / side.p();
    if (stride <= (last - first) / 2) {
      int64_t found = 0;
      for (int64_t i = first; i < first + stride; ++i)
        found += side.weight(i, stride, last) * count(here, side.blocks(i, 1));
      return found;
    }
  }
  int64_t middle = first + (last - first) / 2;
  return countSide(here, side, first, middle) + countSide(here, side, middle, last);
}

} // namespace

Result<int64_t> countElements(const Expr &attend, const LayoutRequest &request) {
  if (request.nq == 0 || request.nk == 0)
    return 0;
  Rectangle all = {{.first = request.q0, .step = 1, .count = request.nq},
                   {.first = 0, .step = 1, .count = request.nk}};
  Work work;
  Counter counter(request, work);
  // Constants become integers first: periods are found only where divisors are.
  int64_t found = counter.count(specialise(attend, all, request.h, request.sizes()), all);
  if (request.work)
    request.work->add(work);
  if (counter.stopped())
    return machineError(fmt::format(
        "to count the pairs of {} queries and {} keys takes more work than it may ({:.0f} s of a "
        "core): the pattern has too little structure at this length",
        request.nq, request.nk, double(request.maximumUnits) / 1e9));
  return found;
}

int64_t causalElements(const LayoutRequest &request) {
  // Row i sees clamp(i + q0 + 1, 0, nk) keys: rows [rise, top) see i + q0 + 1, later ones nk.
  int64_t rise = std::clamp<int64_t>(-request.q0, 0, request.nq);
  int64_t top = std::clamp<int64_t>(request.nk - request.q0, rise, request.nq);
  auto seenBy = [&](int64_t row) { return row + request.q0 + 1; };
  auto twice = Wide(top - rise) * (seenBy(rise) + seenBy(top - 1));
  return static_cast<int64_t>(twice / 2) + (request.nq - top) * request.nk;
}

} // namespace sparsec
