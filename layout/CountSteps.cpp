#include "layout/CountSteps.h"

#include "layout/Apart.h"
#include "layout/Parallel.h"
#include "layout/Specialise.h"

#include <algorithm>
#include <array>

namespace sparsec {

namespace {

__extension__ typedef __int128 Wide;

using Positions = std::vector<int64_t>;
constexpr int64_t kLanes = LaneProgram::kLanes;

/// Where one number's parts change, and what they are from there on.
struct Axis {
  Positions starts;
  int64_t end = 0;
  struct Values {
    std::vector<int64_t> numbers;
    std::vector<Truths> truths;
  };
  std::vector<Values> parts;

  int64_t runs() const { return std::ssize(starts); }
  int64_t last(int64_t run) const { return (run + 1 < runs() ? starts[run + 1] : end) - 1; }
  Cells at(size_t part, int64_t run) const {
    const Values &values = parts[part];
    if (!values.truths.empty())
      return {.truths = values.truths.data() + run};
    return {.low = values.numbers.data() + run, .points = true};
  }
  /// The runs that meet [low, high].
  std::pair<int64_t, int64_t> meeting(int64_t low, int64_t high) const {
    auto after = [&](int64_t x) {
      return std::upper_bound(starts.begin(), starts.end(), x) - starts.begin();
    };
    return {std::max<int64_t>(after(low) - 1, 0), after(high)};
  }
};

/// The runs of one part, by cutting in two what intervals leave open, many stretches at a time.
class RunFinder {
public:
  RunFinder(const Expr &part, int64_t most, Work &work)
      : program(part), predicate(isPredicate(part->op)), most(most), work(work) {}

  /// Starts within [first, end); false when there are too many.
  bool find(int64_t first, int64_t end, Positions &starts) {
    std::vector<std::pair<int64_t, int64_t>> runs; // start, value
    Positions low = {first}, high = {end - 1};
    while (!low.empty()) {
      if (std::ssize(low) + std::ssize(runs) > 4 * most)
        return false;
      ask(low, high);
      Positions nextLow, nextHigh;
      for (size_t i = 0; i < low.size(); ++i) {
        if (decided(i)) {
          runs.emplace_back(low[i], predicate ? truths[i] : lowest[i]);
          continue;
        }
        auto [left, right] = halves(Range{low[i], 1, high[i] - low[i] + 1});
        for (const Range &half : {left, right}) {
          nextLow.push_back(half.first);
          nextHigh.push_back(half.last());
        }
      }
      low = std::move(nextLow);
      high = std::move(nextHigh);
    }
    std::sort(runs.begin(), runs.end());
    for (size_t i = 0; i < runs.size(); ++i)
      if (i == 0 || runs[i].second != runs[i - 1].second)
        starts.push_back(runs[i].first);
    return std::ssize(starts) <= most;
  }

  /// Of single positions.
  Axis::Values values(const Positions &at) {
    ask(at, at);
    return {std::move(lowest), std::move(truths)};
  }

private:
  void ask(const Positions &low, const Positions &high) {
    auto count = std::ssize(low);
    work.count(&Work::cells, count, 1 + program.size() / 2);
    if (predicate) {
      truths.resize(count);
      program.truths(low, high, truths.data());
      return;
    }
    lowest.resize(count);
    highest.resize(count);
    program.integers(low, high, lowest.data(), highest.data());
  }
  bool decided(size_t i) const {
    return predicate ? (truths[i] & truths::kUnknown) != truths::kUnknown : lowest[i] == highest[i];
  }

  PartProgram program;
  bool predicate;
  int64_t most;
  Work &work;
  std::vector<Truths> truths;
  Positions lowest, highest;
};

/// The runs of all parts of one number over [first, end); nothing when there are too many.
std::optional<Axis> axisOf(const std::vector<Expr> &parts, int64_t first, int64_t end, Work &work) {
  constexpr int64_t kFew = 64, kSpacing = 16;
  constexpr int64_t kMost = int64_t{1} << 17; // 30 MB while they are found
  int64_t most = std::min(kFew + (end - first) / kSpacing, kMost);
  Axis axis{.starts = {first}, .end = end, .parts = {}};
  for (const Expr &part : parts)
    if (!RunFinder(part, most, work).find(first, end, axis.starts))
      return std::nullopt;
  std::sort(axis.starts.begin(), axis.starts.end());
  axis.starts.erase(std::unique(axis.starts.begin(), axis.starts.end()), axis.starts.end());
  if (axis.runs() > most)
    return std::nullopt;
  for (const Expr &part : parts)
    axis.parts.push_back(RunFinder(part, most, work).values(axis.starts));
  return axis;
}

class StepCounter {
public:
  StepCounter(const Apart &apart, const Axis &queries, const Axis &keys, const Axis &differences)
      : apart(apart), queries(queries), keys(keys), differences(differences) {}

  /// Of the pairs of one run of queries.
  int64_t count(int64_t run, Work &work) const {
    int64_t first = queries.starts[run], last = queries.last(run), found = 0;
    std::vector<Cells> sources(apart.parts());
    size_t next = 0;
    for (size_t part = 0; part < apart.ofQueries.size(); ++part, ++next) {
      sources[next] = queries.at(part, run);
      sources[next].one = true;
    }
    auto [bandBegin, bandEnd] =
        differences.meeting(first - (keys.end - 1), last - keys.starts.front());
    for (int64_t band = bandBegin; band < bandEnd; ++band) {
      int64_t nearest = differences.starts[band], furthest = differences.last(band);
      size_t place = next + apart.ofKeys.size();
      for (size_t part = 0; part < apart.ofDifferences.size(); ++part, ++place) {
        sources[place] = differences.at(part, band);
        sources[place].one = true;
      }
      auto [begin, end] = keys.meeting(first - furthest, last - nearest);
      for (int64_t at = begin; at < end; at += kLanes)
        found += countKeys(at, std::min(kLanes, end - at), {first, 1, last - first + 1},
                           {nearest, furthest}, sources, next, work);
    }
    return found;
  }

private:
  int64_t countKeys(int64_t run, int64_t lanes, const Range &q, std::pair<int64_t, int64_t> band,
                    std::vector<Cells> &sources, size_t next, Work &work) const {
    std::array<Truths, kLanes> truths;
    for (size_t part = 0; part < apart.ofKeys.size(); ++part)
      sources[next + part] = keys.at(part, run);
    apart.core.run(sources, static_cast<int>(lanes), truths.data());
    work.count(&Work::cells, lanes, 1 + apart.core.size() / 2);
    int64_t found = 0;
    for (int64_t i = 0; i < lanes; ++i)
      if (truths[i] & truths::kMayBeTrue) {
        int64_t first = keys.starts[run + i];
        Range k = {first, 1, keys.last(run + i) - first + 1};
        found += apart.ofDifferences.empty() ? q.count * k.count
                                             : pairsBetween({q, k}, band.first, band.second);
      }
    return found;
  }

  const Apart &apart;
  const Axis &queries, &keys, &differences;
};

} // namespace

int64_t pairsBetween(const Rectangle &rectangle, int64_t first, int64_t last) {
  const auto &[q, k] = rectangle;
  // Pairs u + v <= m of u < width, v < height: with u and v counted from the corner of the least
  // difference.
  int64_t least = q.first - k.last();
  auto upTo = [&](int64_t difference) {
    auto triangle = [&](Wide m) { return m < 0 ? Wide(0) : (m + 1) * (m + 2) / 2; };
    Wide m = std::min<Wide>(Wide(difference) - least, Wide(q.count) + k.count - 2);
    return triangle(m) - triangle(m - q.count) - triangle(m - k.count) +
           triangle(m - q.count - k.count);
  };
  return static_cast<int64_t>(upTo(last) - upTo(first - 1));
}

std::optional<int64_t> countSteps(const Expr &predicate, const Rectangle &rectangle, int threads,
                                  int64_t most, Work &work) {
  const auto &[q, k] = rectangle;
  std::optional<Apart> apart = takeApart(predicate);
  if (!apart)
    return std::nullopt;
  std::optional<Axis> queries = axisOf(apart->ofQueries, q.first, q.last() + 1, work);
  if (!queries)
    return std::nullopt;
  std::optional<Axis> keys = axisOf(apart->ofKeys, k.first, k.last() + 1, work);
  if (!keys)
    return std::nullopt;
  std::optional<Axis> differences =
      axisOf(apart->ofDifferences, q.first - k.last(), q.last() - k.first + 1, work);
  if (!differences)
    return std::nullopt;
  // Most runs of queries meet few of the bands, if there are many of both.
  double lanes =
      double(queries->runs()) *
      (double(keys->runs()) + double(std::min(keys->runs(), kLanes)) * double(differences->runs()));
  if (lanes * double(1 + apart->core.size() / 2) > double(most) ||
      lanes > double(area(rectangle)) / 16)
    return std::nullopt;
  constexpr int64_t kRuns = 64; ///< of queries at a time
  StepCounter counter(*apart, *queries, *keys, *differences);
  int64_t items = (queries->runs() + kRuns - 1) / kRuns;
  std::vector<int64_t> found(items);
  std::vector<Work> works(items);
  inParallel(threads, items, [&](int64_t item) {
    for (int64_t run = item * kRuns; run < std::min((item + 1) * kRuns, queries->runs()); ++run)
      found[item] += counter.count(run, works[item]);
  });
  int64_t total = 0;
  for (int64_t item = 0; item < items; ++item) {
    total += found[item];
    work.add(works[item]);
  }
  return total;
}

} // namespace sparsec
