#include "layout/DecideBlock.h"

#include "layout/Specialise.h"

namespace sparsec {

/// Rectangles of so few pairs are evaluated: cheaper than asking for a proof.
static constexpr int64_t kFewPairs = 64;

Coverage classifyAround(const Reader &reader, const std::vector<Range> &q,
                        const std::vector<Range> &k) {
  return q.size() * k.size() > 2 ? reader.classify({hull(q), hull(k)}) : Coverage::Mixed;
}

Coverage BlockDecider::decide(const std::vector<Range> &q, const std::vector<Range> &k) const {
  Seen seen;
  if (Coverage around = classifyAround(reader, q, k); around != Coverage::Mixed)
    return around;
  for (const Range &queryRange : q)
    for (const Range &keyRange : k) {
      look({queryRange, keyRange}, seen);
      if (seen.both())
        return Coverage::Mixed;
    }
  return seen.yes ? Coverage::Full : Coverage::Empty;
}

/// Adds the truths in a rectangle to `seen`; stops once both are there.
void BlockDecider::look(const Rectangle &rectangle, Seen &seen) const {
  if (work.units > mostUnits)
    return;
  if (area(rectangle) <= kFewPairs)
    return lookAtEachPair(rectangle, seen);
  switch (reader.classify(rectangle)) {
  case Coverage::Empty:
    seen.no = true;
    return;
  case Coverage::Full:
    seen.yes = true;
    return;
  case Coverage::Mixed:
    break;
  }
  const auto &[q, k] = rectangle;
  for (int64_t queryEnd : {q.first, q.last()})
    for (int64_t keyEnd : {k.first, k.last()})
      (reader.at(queryEnd, keyEnd) ? seen.yes : seen.no) = true;
  if (seen.both())
    return;
  constexpr int64_t kAtOnce = 64; // of one query
  if (k.count <= kAtOnce)
    lookAtEachPair({{q.first + q.step * (q.count / 2), 1, 1}, k}, seen);
  if (seen.both())
    return;
  auto [first, second] = halves(rectangle);
  look(first, seen);
  if (!seen.both())
    look(second, seen);
}

void BlockDecider::lookAtEachPair(const Rectangle &rectangle, Seen &seen) const {
  const auto &[q, k] = rectangle;
  for (int64_t i = 0; i < q.count && !seen.both(); ++i) {
    int64_t found = reader.countRow(q.first + i * q.step, k);
    seen.yes |= found > 0;
    seen.no |= found < k.count;
  }
}

} // namespace sparsec
