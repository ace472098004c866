#include "layout/cost/Tally.h"

#include "layout/CountBlocks.h"
#include "layout/Parallel.h"
#include "layout/Reader.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

namespace sparsec {

bool gathers(const OrderSpec &order) {
  return !std::holds_alternative<NaturalOrder>(order);
}

namespace {

/// Of a request and orders that are folded.
Prices pricesOf(const LayoutRequest &request, const OrderSpec &queries, const OrderSpec &keys,
                const CostShape &shape, const CostTarget &target) {
  double rowBytes = double(request.blockQ * shape.rowWidth * shape.elementBytes);
  double keyBytes = double(request.blockK * shape.foldWidth * shape.elementBytes);
  double pairs = double(request.blockQ) * (double(request.blockK) + target.stepKeys);
  Prices prices;
  prices.keyBytes = keyBytes * (gathers(keys) ? target.gatherPenalty : 1);
  prices.rowBytes = rowBytes * (gathers(queries) ? target.gatherPenalty : 1);
  double work = pairs * (2 * double(shape.products) / target.unitFlops + target.pairSeconds);
  double loads = prices.keyBytes / target.unitBytesPerSecond;
  double waits = prices.keyBytes * target.keyByteSeconds;
  prices.full = std::max(work, loads) + waits;
  prices.partial = std::max(work * (1 + target.partialPenalty), loads) + waits;
  prices.row = target.rowSeconds + rowBytes * target.rowByteSeconds;
  return prices;
}

} // namespace

Result<Fold> Fold::of(const Part &part, const LayoutRequest &request, const CostShape &shape,
                      const CostTarget &target) {
  Part fold = shape.ofKeys ? exchanged(part, request) : part;
  LayoutRequest folds = shape.ofKeys ? exchanged(request) : request;
  Result<PartOrders> orders = PartOrders::of(fold, folds);
  if (!orders)
    return orders.error();
  Prices prices = pricesOf(folds, fold.queries, fold.keys, shape, target);
  return Fold{std::move(fold), folds, std::move(orders->queries), std::move(orders->keys), prices};
}

namespace {

double secondsOf(const BlockCounts &blocks, const Prices &prices) {
  return prices.row + double(blocks.full) * prices.full + double(blocks.partial) * prices.partial;
}

/// Multiples of the golden ratio. The last row comes with them, for its length alone.
std::vector<int64_t> sampled(int64_t rows, int64_t count) {
  constexpr double kGolden = 0.6180339887498949;
  std::vector<int64_t> result;
  if (rows <= 2 * count) {
    for (int64_t row = 0; row < rows; ++row)
      result.push_back(row);
    return result;
  }
  for (int64_t i = 0; i < count; ++i) {
    double place = 0.5 + double(i) * kGolden;
    result.push_back(int64_t((place - std::floor(place)) * double(rows)));
  }
  result.push_back(rows - 1);
  return result;
}

/// Adds up parts; seconds of launches apart.
class Sum {
public:
  Sum(const LayoutRequest &folds, const CostShape &shape, const CostTarget &target)
      : request(folds), shape(shape), target(target) {}

  void add(const Tally &tally, const Prices &prices) {
    auto copies = double(shape.copies);
    double mean =
        copies / target.units *
        (tally.rows * prices.row + tally.full * prices.full + tally.partial * prices.partial);
    double bytes =
        copies * ((tally.full + tally.partial) * prices.keyBytes + tally.rows * prices.rowBytes);
    // Nothing is waited for when each unit has one row at most.
    double last =
        tally.rows * copies > target.units ? target.tail * tally.longest : tally.longest - mean;
    busy += mean;
    cost.seconds += std::max(mean + std::max(last, 0.0), copies * once() / target.bytesPerSecond);
    cost.bytes += bytes;
    cost.blocks.full += std::llround(tally.full);
    cost.blocks.partial += std::llround(tally.partial);
    cost.elements += tally.elements;
    cost.exact = cost.exact && tally.exact;
    ++parts;
  }

  Cost total(double denseSeconds) {
    auto copies = double(shape.copies);
    cost.blocks.live = cost.blocks.full + cost.blocks.partial;
    cost.computed = cost.blocks.live * request.blockQ * request.blockK;
    if (!cost.exact)
      cost.computed = std::max(cost.computed, cost.elements);
    cost.operations = copies * 2 * double(shape.products) * double(cost.computed);
    cost.balance = cost.seconds > 0 ? std::min(busy / cost.seconds, 1.0) : 1;
    double perPair = cost.elements ? cost.seconds / double(cost.elements) : 0;
    double apart = parts * target.launchSeconds + before();
    cost.seconds += apart;
    cost.denseSeconds = denseSeconds;
    double all = double(request.nq) * double(request.nk);
    if (perPair > 0 && all > 0)
      cost.breakEven = std::clamp((denseSeconds - apart) / (perPair * all), 0.0, 1.0);
    return cost;
  }

private:
  /// Seconds of the kernel before the parts: its launch, and its tensors once.
  double before() const {
    if (!shape.beforeWidth)
      return 0;
    auto elements = double(shape.copies) * double(request.nq) * double(shape.beforeWidth);
    return target.launchSeconds + elements * double(shape.elementBytes) / target.bytesPerSecond;
  }

  /// Bytes of each tensor once.
  double once() const {
    return double((request.nq * shape.rowWidth + request.nk * shape.foldWidth) *
                  shape.elementBytes);
  }

  const LayoutRequest &request;
  const CostShape &shape;
  const CostTarget &target;
  Cost cost;
  double busy = 0;
  int parts = 0;
};

/// All pairs, in natural order, in the best of these blocks.
double denseSeconds(const LayoutRequest &asked, const CostShape &shape, const CostTarget &target,
                    const std::vector<Block> &blocks) {
  double least = std::numeric_limits<double>::infinity();
  for (const Block &block : blocks) {
    LayoutRequest request = asked;
    request.blockQ = block.q;
    request.blockK = block.k;
    LayoutRequest folds = shape.ofKeys ? exchanged(request) : request;
    Prices prices = pricesOf(folds, NaturalOrder{}, NaturalOrder{}, shape, target);
    Tally all;
    all.rows = std::ceil(double(folds.nq) / folds.blockQ);
    double columns = std::floor(double(folds.nk) / folds.blockK);
    all.full = all.rows * columns;
    all.partial = folds.nk % folds.blockK ? all.rows : 0;
    all.longest = prices.row + columns * prices.full + (all.partial > 0 ? prices.partial : 0);
    Sum sum(folds, shape, target);
    sum.add(all, prices);
    least = std::min(least, sum.total(0).seconds);
  }
  return least;
}

/// Where rows are too many to be listed their blocks are counted by arithmetic, if that is short;
/// the longest is then that of some.
std::optional<Tally> tallyByArithmetic(const Fold &fold) {
  constexpr int64_t kManyRows = int64_t{1} << 17, kShare = 20;
  constexpr int64_t kRows = 32;
  if (fold.queries.tileCount() <= kManyRows)
    return std::nullopt;
  Work work;
  BlockCounter counter(fold.part.attend, fold.request, fold.queries, fold.keys);
  std::optional<BlockCounts> all = counter.all(fold.request.maximumUnits / kShare, work);
  if (fold.request.work)
    fold.request.work->add(work);
  if (!all)
    return std::nullopt;
  Tally tally = estimate(fold, kRows);
  tally.full = double(all->full);
  tally.partial = double(all->partial);
  tally.exact = true;
  return tally;
}

Tally tallyOf(const LineCounts &lines, const Prices &prices) {
  Tally tally{
      .rows = double(lines.lines), .full = double(lines.full), .partial = double(lines.partial)};
  for (const BlockCounts &line : lines.longest)
    tally.longest = std::max(tally.longest, secondsOf(line, prices));
  return tally;
}

} // namespace

Result<Tally> exactTally(const Part &part, const LayoutRequest &request, const CostShape &shape,
                         const CostTarget &target, Ledger &ledger) {
  Result<Fold> fold = Fold::of(part, request, shape, target);
  if (!fold)
    return fold.error();
  if (auto tally = tallyByArithmetic(*fold))
    return *tally;
  Result<PartCounts> counts = ledger.blocks(part, request);
  if (!counts)
    return counts.error();
  return tallyOf(shape.ofKeys ? counts->columns : counts->rows, fold->prices);
}

namespace {

/// `known`: of these parts at these lengths, if there are any.
Result<std::vector<Tally>> exactTallies(const std::vector<Part> &parts,
                                        const LayoutRequest &request, const CostShape &shape,
                                        const CostTarget &target, const std::vector<Tally> &known,
                                        Ledger &ledger) {
  std::vector<Tally> tallies;
  for (size_t i = 0; i < parts.size(); ++i) {
    Result<Tally> tally = exactTally(parts[i], request, shape, target, ledger);
    if (!tally)
      return tally.error();
    tallies.push_back(*tally);
    if (!known.empty() && known[i].elementsExact) {
      tallies.back().elements = known[i].elements;
      continue;
    }
    Result<int64_t> elements = ledger.elements(parts[i].attend, request);
    if (!elements)
      return elements.error();
    tallies.back().elements = *elements;
  }
  return tallies;
}

Result<std::vector<Tally>> estimatedTallies(const std::vector<Part> &parts,
                                            const LayoutRequest &request, const CostShape &shape,
                                            const CostTarget &target, Ledger &ledger) {
  constexpr int64_t kRows = 32;
  std::vector<Tally> tallies;
  for (const Part &part : parts) {
    Result<Fold> fold = Fold::of(part, request, shape, target);
    if (!fold)
      return fold.error();
    tallies.push_back(estimate(*fold, kRows));
    addElements(part.attend, request, tallies.back(), ledger);
    tallies.back().exact = false;
  }
  return tallies;
}

} // namespace

Tally estimate(const Fold &fold, int64_t count) {
  Tally tally;
  tally.rows = double(fold.queries.tileCount());
  std::vector<int64_t> rows = sampled(fold.queries.tileCount(), count);
  tally.exact = tally.rows == double(rows.size());
  auto [counts, each] =
      BlockLayout::countRows(fold.part.attend, fold.request, fold.queries, fold.keys, rows);
  for (const BlockCounts &row : counts)
    tally.longest = std::max(tally.longest, secondsOf(row, fold.prices));
  if (!tally.exact)
    counts.pop_back();
  tally.exact = tally.exact && each;
  double weight = counts.empty() ? 0 : tally.rows / double(counts.size());
  for (const BlockCounts &row : counts) {
    tally.full += weight * double(row.full);
    tally.partial += weight * double(row.partial);
  }
  return tally;
}

namespace {

/// Pairs of some queries, each with all keys.
std::vector<int64_t> countQueries(const Expr &attend, const LayoutRequest &request,
                                  const std::vector<int64_t> &rows) {
  constexpr int64_t kLong = int64_t{1} << 18; // more keys are counted as blocks of one pair are
  std::vector<int64_t> found(rows.size());
  if (request.nk > kLong) {
    LayoutRequest pairs = request;
    pairs.blockQ = pairs.blockK = 1;
    auto counts = BlockLayout::countRows(attend, pairs, Order::natural(request.nq, 1),
                                         Order::natural(request.nk, 1), rows);
    for (size_t i = 0; i < rows.size(); ++i)
      found[i] = counts.rows[i].live;
    return found;
  }
  std::vector<Work> works(rows.size());
  Reader reader(attend, request.h, request.sizes(), nullptr);
  inParallel(threadsFor(request.threads), std::ssize(rows), [&](int64_t i) {
    found[i] = Reader(reader, &works[i])
                   .countRow(request.q0 + rows[i], {.first = 0, .step = 1, .count = request.nk});
  });
  for (const Work &work : works)
    if (request.work)
      request.work->add(work);
  return found;
}

} // namespace

void addElements(const Expr &attend, const LayoutRequest &request, Tally &tally, Ledger &ledger) {
  constexpr int64_t kQueries = 64;
  if (Result<int64_t> exact = ledger.elements(attend, request)) {
    tally.elements = *exact;
    return;
  }
  tally.exact = tally.elementsExact = false;
  double sum = 0;
  std::vector<int64_t> rows = sampled(request.nq, kQueries);
  for (int64_t found : countQueries(attend, request, rows))
    sum += double(found);
  tally.elements = std::llround(sum * double(request.nq) / double(rows.size()));
}

Cost costOf(const std::vector<Part> &parts, const std::vector<Tally> &tallies,
            const LayoutRequest &request, const CostShape &shape, const CostTarget &target,
            const std::vector<Block> &denseBlocks) {
  LayoutRequest folds = shape.ofKeys ? exchanged(request) : request;
  Sum sum(folds, shape, target);
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto &[queries, keys] = shape.ofKeys ? std::tie(parts[i].keys, parts[i].queries)
                                               : std::tie(parts[i].queries, parts[i].keys);
    sum.add(tallies[i], pricesOf(folds, queries, keys, shape, target));
  }
  return sum.total(denseSeconds(request, shape, target, denseBlocks));
}

Result<Cost> costOf(const std::vector<Part> &parts, const LayoutRequest &request,
                    const CostShape &shape, const CostTarget &target) {
  Ledger ledger(request.threads, request.maximumUnits);
  Result<std::vector<Tally>> tallies =
      exactTallies(parts, ledger.within(request), shape, target, {}, ledger);
  if (request.work)
    request.work->add(ledger.work());
  if (!tallies)
    return tallies.error();
  return costOf(parts, *tallies, request, shape, target, {{request.blockQ, request.blockK}});
}

namespace {

LayoutRequest requestOf(const Candidate &candidate, const LayoutRequest &request, Ledger &ledger) {
  LayoutRequest at = ledger.within(request);
  at.blockQ = candidate.block.q;
  at.blockK = candidate.block.k;
  return at;
}

/// Whether what a candidate's cost is from was found at these lengths.
bool isKnownAt(const Candidate &candidate, const LayoutRequest &at) {
  bool headless = true;
  for (const Part &part : candidate.parts)
    headless = headless && !mentions(part.attend, Op::Head);
  const LayoutRequest &before = candidate.counted;
  return !candidate.tallies.empty() && before.nq == at.nq && before.nk == at.nk &&
         before.q0 == at.q0 && (headless || before.h == at.h);
}

void setTallies(Candidate &candidate, std::vector<Tally> tallies, const LayoutRequest &at,
                const CostShape &shape, const CostTarget &target) {
  candidate.tallies = std::move(tallies);
  candidate.counted = at;
  candidate.counted.work = nullptr;
  candidate.cost = costOf(candidate.parts, candidate.tallies, at, shape, target,
                          candidate.denseBlocks.empty() ? std::vector<Block>{candidate.block}
                                                        : candidate.denseBlocks);
}

} // namespace

Result<void> countExactly(Candidate &candidate, const LayoutRequest &request,
                          const CostShape &shape, const CostTarget &target, Ledger &ledger) {
  LayoutRequest at = requestOf(candidate, request, ledger);
  bool known = isKnownAt(candidate, at);
  if (known && candidate.cost.exact) {
    setTallies(candidate, candidate.tallies, at, shape, target);
    return {};
  }
  Result<std::vector<Tally>> tallies = exactTallies(
      candidate.parts, at, shape, target, known ? candidate.tallies : std::vector<Tally>{}, ledger);
  if (!tallies)
    return tallies.error();
  setTallies(candidate, *std::move(tallies), at, shape, target);
  return {};
}

Result<void> count(Candidate &candidate, const LayoutRequest &request, const CostShape &shape,
                   const CostTarget &target, Ledger &ledger) {
  Result<void> counted = countExactly(candidate, request, shape, target, ledger);
  if (counted || counted.error().kind != ErrorKind::Machine)
    return counted;
  LayoutRequest at = requestOf(candidate, request, ledger);
  Result<std::vector<Tally>> tallies = estimatedTallies(candidate.parts, at, shape, target, ledger);
  if (!tallies)
    return tallies.error();
  setTallies(candidate, *std::move(tallies), at, shape, target);
  return {};
}

Result<void> count(Candidate &candidate, const LayoutRequest &request, const CostShape &shape,
                   const CostTarget &target) {
  Ledger ledger(request.threads, request.maximumUnits);
  Result<void> counted = count(candidate, request, shape, target, ledger);
  if (request.work)
    request.work->add(ledger.work());
  return counted;
}

} // namespace sparsec
