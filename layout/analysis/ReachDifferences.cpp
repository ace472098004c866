#include "layout/analysis/ReachDifferences.h"

#include "layout/Apart.h"
#include "layout/Specialise.h"
#include "layout/analysis/Stretches.h"

#include <algorithm>

namespace sparsec {

namespace {

/// Pairs of stretches that are added for one layer at most.
constexpr int64_t kMostSums = int64_t{1} << 27;

/// The differences at which a part is true, of -(n - 1) .. n - 1; nothing when some are below 0.
std::optional<Stretches> trueAt(const Expr &part, int64_t n, Work &work) {
  constexpr int64_t kAtOnce = 4096;
  PartProgram program(part);
  std::vector<int64_t> at;
  std::vector<Truths> found;
  Stretches stretches;
  for (int64_t first = 1 - n; first < n; first += kAtOnce) {
    at.clear();
    for (int64_t d = first; d < std::min(first + kAtOnce, n); ++d)
      at.push_back(d);
    found.resize(at.size());
    program.truths(at, at, found.data());
    work.count(&Work::cells, std::ssize(at), 1 + program.size() / 2);
    for (size_t i = 0; i < at.size(); ++i) {
      if (!(found[i] & truths::kMayBeTrue))
        continue;
      if (at[i] < 0)
        return std::nullopt;
      auto d = static_cast<int32_t>(at[i]);
      append(stretches, {d, d + 1});
    }
  }
  return stretches;
}

std::optional<Stretches> differencesOf(const ReachHead &head, int64_t n, Work &work) {
  Range all = {.first = 0, .step = 1, .count = n};
  Expr attend = specialise(head.attend, {all, all}, head.h, {n, n});
  if (attend->op == Op::False)
    return Stretches();
  std::optional<Apart> apart = takeApart(attend);
  if (!apart || apart->parts() != 1 || apart->ofDifferences.size() != 1)
    return std::nullopt;
  return trueAt(apart->ofDifferences[0], n, work);
}

/// Adds each of `steps` to each of `known`, below n; nothing when those are too many.
std::optional<Stretches> sums(const Stretches &known, const Stretches &steps, int64_t n,
                              Work &work) {
  if (std::ssize(known) * std::ssize(steps) > kMostSums)
    return std::nullopt;
  Canvas canvas(n, &work);
  for (const Stretch &step : steps)
    for (const Stretch &each : known) {
      int64_t begin = int64_t{each.begin} + step.begin;
      int64_t end = std::min<int64_t>(int64_t{each.end} + step.end - 1, n);
      if (begin >= n)
        break;
      canvas.paint({static_cast<int32_t>(begin), static_cast<int32_t>(end)});
    }
  Stretches result;
  canvas.take(result);
  return result;
}

/// What is not known: n - d pairs for each difference d that is none.
void judge(const Stretches &known, int64_t n, Reach &result) {
  result.pairs = n * (n + 1) / 2;
  int64_t reached = 0;
  std::optional<int64_t> gap;
  int64_t next = 0;
  for (const Stretch &stretch : known) {
    if (stretch.begin > next && !gap)
      gap = next;
    next = stretch.end;
    int64_t longest = n - stretch.begin, count = stretch.end - stretch.begin;
    reached += count * longest - count * (count - 1) / 2;
  }
  if (!gap && next < n)
    gap = next;
  result.unreachable = result.pairs - reached;
  result.first = {};
  if (gap)
    result.first = Reach::Pair{0, *gap};
}

} // namespace

std::optional<Reach> reachByDifferences(const ReachRequest &request, Work &work) {
  int64_t n = request.n;
  Reach result;
  Stretches known = {{0, 1}};
  std::vector<std::pair<const std::vector<ReachHead> *, Stretches>> seen; // layers come in turn
  for (const std::vector<ReachHead> &layer : request.layers) {
    auto same = [&](const auto &each) {
      return std::ranges::equal(*each.first, layer, [](const ReachHead &a, const ReachHead &b) {
        return a.h == b.h && equal(a.attend, b.attend);
      });
    };
    auto at = std::ranges::find_if(seen, same);
    if (at == seen.end()) {
      Canvas canvas(n, &work);
      for (const ReachHead &head : layer) {
        std::optional<Stretches> differences = differencesOf(head, n, work);
        if (!differences)
          return std::nullopt;
        canvas.paint(*differences);
      }
      Stretches all;
      canvas.take(all);
      seen.emplace_back(&layer, std::move(all));
      at = seen.end() - 1;
    }
    Stretches steps = at->second;
    result.withoutKeys.push_back(steps.empty() ? n : steps.front().begin);
    if (request.residual == ReachRequest::Residual::With && (steps.empty() || steps[0].begin > 0)) {
      Canvas canvas(n, &work);
      canvas.paint({0, 1});
      canvas.paint(steps);
      canvas.take(steps);
    }
    std::optional<Stretches> next = sums(known, steps, n, work);
    if (!next)
      return std::nullopt;
    known = *std::move(next);
    judge(known, n, result);
    if (request.untilComplete && result.complete())
      break;
  }
  return result;
}

} // namespace sparsec
