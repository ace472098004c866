#include "layout/cost/Cost.h"

#include "layout/Reader.h"
#include "layout/Specialise.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

namespace sparsec {

namespace {

/// Rows that stand for all of a layout's: a few first, and more unless it is hopeless.
constexpr int64_t kFirstRows = 2, kSampledRows = 8;
/// Ways of at most so many rows of blocks are counted, of so many, before one is chosen.
constexpr int64_t kCountedRows = 1024;
constexpr int kMostCounted = 8;
/// A way this much slower than the best so far is not looked at further.
constexpr double kHopeless = 2;

/// The same computed the other way round, where that is how the kernel folds it: each row is one of
/// keys, and its blocks are of queries.
LayoutRequest folded(LayoutRequest request, const CostShape &shape) {
  assert((!shape.ofKeys || request.q0 == 0) && "the axes are exchanged with their positions");
  if (shape.ofKeys) {
    std::swap(request.nq, request.nk);
    std::swap(request.blockQ, request.blockK);
  }
  return request;
}

Part folded(const Part &part, const CostShape &shape) {
  return shape.ofKeys ? Part{exchanged(part.attend), part.keys, part.queries} : part;
}

/// What a block and a row of blocks cost, of one part in its orders.
struct Prices {
  double keyBytes = 0, rowBytes = 0;     ///< of a block, of a row
  double full = 0, partial = 0, row = 0; ///< seconds of a unit
};

bool gathers(const OrderSpec &order) {
  return !std::holds_alternative<NaturalOrder>(order);
}

Prices pricesOf(const Part &part, const LayoutRequest &request, const CostShape &shape,
                const CostTarget &target) {
  double rowBytes = double(request.blockQ * shape.rowWidth * shape.elementBytes);
  double keyBytes = double(request.blockK * shape.foldWidth * shape.elementBytes);
  double pairs = double(request.blockQ) * (double(request.blockK) + target.stepKeys);
  Prices prices;
  prices.keyBytes = keyBytes * (gathers(part.keys) ? target.gatherPenalty : 1);
  prices.rowBytes = rowBytes * (gathers(part.queries) ? target.gatherPenalty : 1);
  double work = pairs * (2 * double(shape.products) / target.unitFlops + target.pairSeconds);
  double loads = prices.keyBytes / target.unitBytesPerSecond;
  double waits = prices.keyBytes * target.keyByteSeconds;
  prices.full = std::max(work, loads) + waits;
  prices.partial = std::max(work * (1 + target.partialPenalty), loads) + waits;
  prices.row = target.rowSeconds + rowBytes * target.rowByteSeconds;
  return prices;
}

/// What a part's rows are made of, counted or estimated.
struct Work {
  double rows = 0, full = 0, partial = 0;
  double longest = 0; ///< seconds of the longest row
  bool exact = true;
};

double secondsOf(const BlockCounts &blocks, const Prices &prices) {
  return prices.row + double(blocks.full) * prices.full + double(blocks.partial) * prices.partial;
}

Work workOf(const BlockLayout &layout, const Prices &prices) {
  Work work;
  work.rows = double(layout.rows());
  work.full = double(layout.counts().full);
  work.partial = double(layout.counts().partial);
  for (int64_t row = 0; row < layout.rows(); ++row) {
    double seconds = prices.row;
    for (const BlockRun &run : layout.row(row))
      seconds +=
          (run.end - run.begin) * (run.kind == BlockKind::Full ? prices.full : prices.partial);
    work.longest = std::max(work.longest, seconds);
  }
  return work;
}

/// Rows that lie evenly, whatever their number has as a divisor: multiples of the golden ratio. The
/// last row comes with them, for its length alone.
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

Work estimate(const Part &part, const LayoutRequest &request, const Order &queries,
              const Order &keys, const Prices &prices, int64_t count) {
  Work work;
  work.rows = double(queries.tileCount());
  std::vector<int64_t> rows = sampled(queries.tileCount(), count);
  work.exact = work.rows == double(rows.size());
  std::vector<BlockCounts> counts =
      BlockLayout::countRows(part.attend, request, queries, keys, rows);
  for (const BlockCounts &row : counts)
    work.longest = std::max(work.longest, secondsOf(row, prices));
  if (!work.exact)
    counts.pop_back();
  double weight = counts.empty() ? 0 : work.rows / double(counts.size());
  for (const BlockCounts &row : counts) {
    work.full += weight * double(row.full);
    work.partial += weight * double(row.partial);
  }
  return work;
}

/// Adds up parts; seconds of launches apart.
class Sum {
public:
  Sum(const LayoutRequest &request, const CostShape &shape, const CostTarget &target)
      : request(request), shape(shape), target(target) {}

  void add(const Work &work, const Prices &prices, int64_t elements) {
    auto copies = double(shape.copies);
    double mean =
        copies / target.units *
        (work.rows * prices.row + work.full * prices.full + work.partial * prices.partial);
    double bytes =
        copies * ((work.full + work.partial) * prices.keyBytes + work.rows * prices.rowBytes);
    // Nothing is waited for when each unit has one row at most.
    double last =
        work.rows * copies > target.units ? target.tail * work.longest : work.longest - mean;
    busy += mean;
    cost.seconds += std::max(mean + std::max(last, 0.0), copies * once() / target.bytesPerSecond);
    cost.bytes += bytes;
    cost.blocks.full += std::llround(work.full);
    cost.blocks.partial += std::llround(work.partial);
    cost.elements += elements;
    cost.exact = cost.exact && work.exact;
    ++parts;
  }

  Cost total() {
    auto pairs = double(request.blockQ) * double(request.blockK);
    auto copies = double(shape.copies);
    cost.blocks.live = cost.blocks.full + cost.blocks.partial;
    cost.computed = cost.blocks.live * request.blockQ * request.blockK;
    if (!cost.exact)
      cost.computed = std::max(cost.computed, cost.elements);
    cost.operations = copies * 2 * double(shape.products) * double(cost.computed);
    cost.balance = cost.seconds > 0 ? std::min(busy / cost.seconds, 1.0) : 1;
    double perPair = cost.elements ? cost.seconds / double(cost.elements) : 0;
    cost.seconds += parts * target.launchSeconds;
    cost.denseSeconds = dense(pairs);
    double all = double(request.nq) * double(request.nk);
    if (perPair > 0 && all > 0)
      cost.breakEven = std::clamp(
          (cost.denseSeconds - parts * target.launchSeconds) / (perPair * all), 0.0, 1.0);
    return cost;
  }

private:
  /// Bytes of each tensor once.
  double once() const {
    return double((request.nq * shape.rowWidth + request.nk * shape.foldWidth) *
                  shape.elementBytes);
  }

  /// All pairs, in natural order.
  double dense(double pairs) const {
    Prices prices = pricesOf({nullptr, NaturalOrder{}, NaturalOrder{}}, request, shape, target);
    Work all;
    all.rows = std::ceil(double(request.nq) / request.blockQ);
    double columns = std::ceil(double(request.nk) / request.blockK);
    all.full = all.rows * columns;
    all.longest = prices.row + columns * prices.full;
    Sum sum(request, shape, target);
    sum.add(all, prices, 0);
    return pairs > 0 ? sum.cost.seconds + target.launchSeconds : 0;
  }

  const LayoutRequest &request;
  const CostShape &shape;
  const CostTarget &target;
  Cost cost;
  double busy = 0;
  int parts = 0;
};

/// The orders that are left to choose from.
std::vector<AxisOrders> ordersFor(const Expr &attend, const LayoutRequest &request,
                                  const Choice &choice) {
  std::vector<AxisOrders> result;
  for (AxisOrders orders : candidateOrders(attend, request)) {
    if (choice.queries)
      orders.queries = *choice.queries;
    if (choice.keys)
      orders.keys = *choice.keys;
    if (std::find(result.begin(), result.end(), orders) == result.end())
      result.push_back(orders);
  }
  return result;
}

/// A part in orders at a block, weighed by itself.
struct Weighed {
  Part part;
  Prices prices;
  Work work;
  double seconds = 0;
};

class Scale {
public:
  Scale(const LayoutRequest &request, const CostShape &shape, const CostTarget &target,
        const Choice &choice)
      : asked(request), shape(shape), target(target), choice(choice) {
    blocks = choice.blocks;
    if (blocks.empty())
      blocks = {{request.blockQ, request.blockK}};
  }

  Result<std::vector<Candidate>> run(const Expr &attend);

private:
  /// All the ways to compute one predicate, as weigh() has them.
  struct Ways {
    Expr attend;
    Expr fold; ///< the same, or exchanged, as it is folded
    int64_t elements = 0;
    std::vector<AxisOrders> orders;
    std::vector<bool> hopeless; ///< by order
  };

  Ways waysOf(const Expr &attend) const;
  LayoutRequest at(const Block &block) const;
  Result<std::vector<Weighed>> weighAt(const Block &block, Ways &ways, double least) const;
  Result<void> countCheapest(std::vector<Candidate> &candidates) const;
  static void sort(std::vector<Candidate> &candidates);
  Candidate candidate(const Block &block, const std::vector<const Weighed *> &parts,
                      const std::vector<int64_t> &elements) const;

  LayoutRequest asked;
  const CostShape &shape;
  const CostTarget &target;
  const Choice &choice;
  std::vector<Block> blocks;
};

LayoutRequest Scale::at(const Block &block) const {
  LayoutRequest request = asked;
  request.blockQ = block.q;
  request.blockK = block.k;
  return request;
}

/// Pairs that attend; of a hash, which would be asked for each pair, from a few queries.
int64_t elementsOf(const Expr &attend, const LayoutRequest &request) {
  constexpr int64_t kQueries = 64;
  if (!mentions(attend, Op::Hash) || request.nq <= kQueries)
    return countElements(attend, request);
  Reader reader(attend, request.h, request.sizes(), request.work);
  int64_t found = 0;
  for (int64_t row : sampled(request.nq, kQueries))
    found += reader.countRow(request.q0 + row, {.first = 0, .step = 1, .count = request.nk});
  return found * request.nq / (kQueries + 1);
}

Scale::Ways Scale::waysOf(const Expr &attend) const {
  // What boxes of a grid are suggested follows the block: the first one's do for all.
  LayoutRequest request = at(blocks[0]);
  Ways ways{.attend = attend,
            .fold = folded({attend, {}, {}}, shape).attend,
            .elements = elementsOf(attend, request),
            .orders = ordersFor(attend, request, choice),
            .hopeless = {}};
  ways.hopeless.resize(ways.orders.size());
  return ways;
}

/// The orders that are not hopeless, at one block; `least`, what the best way so far takes. The
/// natural order comes last: where another one is good, it has the most runs to look at.
Result<std::vector<Weighed>> Scale::weighAt(const Block &block, Ways &ways, double least) const {
  LayoutRequest request = folded(at(block), shape);
  std::vector<Weighed> result;
  for (size_t i = ways.orders.size(); i-- > 0;) {
    if (ways.hopeless[i])
      continue;
    Part part = {ways.attend, ways.orders[i].queries, ways.orders[i].keys};
    Part fold = part;
    if (shape.ofKeys)
      fold = {ways.fold, part.keys, part.queries};
    Result<Order> queries = Order::make(fold.queries, request.nq, request.blockQ);
    if (!queries)
      return queries.error();
    Result<Order> keys = Order::make(fold.keys, request.nk, request.blockK);
    if (!keys)
      return keys.error();
    Weighed each{part, pricesOf(fold, request, shape, target), {}, 0};
    for (int64_t rows : {kFirstRows, kSampledRows}) {
      each.work = estimate(fold, request, *queries, *keys, each.prices, rows);
      Sum sum(request, shape, target);
      sum.add(each.work, each.prices, ways.elements);
      each.seconds = sum.total().seconds;
      ways.hopeless[i] = each.seconds > kHopeless * least;
      if (ways.hopeless[i] || each.work.exact)
        break;
    }
    least = std::min(least, each.seconds);
    result.push_back(std::move(each));
  }
  std::reverse(result.begin(), result.end());
  return result;
}

Candidate Scale::candidate(const Block &block, const std::vector<const Weighed *> &parts,
                           const std::vector<int64_t> &elements) const {
  Candidate result{block, {}, {}};
  LayoutRequest request = folded(at(block), shape);
  Sum sum(request, shape, target);
  for (size_t i = 0; i < parts.size(); ++i) {
    result.parts.push_back(parts[i]->part);
    sum.add(parts[i]->work, parts[i]->prices, elements[i]);
  }
  result.cost = sum.total();
  return result;
}

/// Cheapest first; of equal ones those of fewer parts.
void Scale::sort(std::vector<Candidate> &candidates) {
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate &a, const Candidate &b) {
                     return std::pair(a.cost.seconds, a.parts.size()) <
                            std::pair(b.cost.seconds, b.parts.size());
                   });
}

Result<std::vector<Candidate>> Scale::run(const Expr &attend) {
  std::vector<Candidate> candidates;
  std::vector<Expr> parts = {attend};
  if (choice.split != SplitChoice::Never)
    parts = disjointParts(attend);
  bool whole = parts.size() == 1 || choice.split != SplitChoice::Always;
  Ways ways;
  if (whole)
    ways = waysOf(attend);
  std::vector<Ways> ofParts;
  std::vector<int64_t> elements;
  for (const Expr &part : parts.size() > 1 ? parts : std::vector<Expr>{}) {
    ofParts.push_back(waysOf(part));
    elements.push_back(ofParts.back().elements);
  }
  double least = std::numeric_limits<double>::infinity();
  for (const Block &block : blocks) {
    std::vector<std::vector<Weighed>> kept;
    std::vector<const Weighed *> best;
    for (Ways &each : ofParts) {
      Result<std::vector<Weighed>> all =
          weighAt(block, each, std::numeric_limits<double>::infinity());
      if (!all)
        return all.error();
      kept.push_back(*std::move(all));
      best.push_back(&*std::min_element(
          kept.back().begin(), kept.back().end(),
          [](const Weighed &a, const Weighed &b) { return a.seconds < b.seconds; }));
    }
    if (!best.empty()) {
      candidates.push_back(candidate(block, best, elements));
      least = std::min(least, candidates.back().cost.seconds);
    }
    if (!whole)
      continue;
    Result<std::vector<Weighed>> all = weighAt(block, ways, least);
    if (!all)
      return all.error();
    for (const Weighed &each : *all) {
      candidates.push_back(candidate(block, {&each}, {ways.elements}));
      least = std::min(least, each.seconds);
    }
  }
  sort(candidates);
  if (Result<void> ok = countCheapest(candidates); !ok)
    return ok.error();
  return candidates;
}

/// A guess may be wrong: the first ones are counted until the first is, and natural order too,
/// where it might have been the better one.
Result<void> Scale::countCheapest(std::vector<Candidate> &candidates) const {
  auto counted = [&](Candidate &each) -> Result<void> {
    LayoutRequest request = folded(at(each.block), shape);
    bool quick = (request.nq + request.blockQ - 1) / request.blockQ <= kCountedRows;
    for (const Part &part : each.parts)
      quick = quick && !mentions(part.attend, Op::Hash);
    if (each.cost.exact || !quick)
      return {};
    return count(each, asked, shape, target);
  };
  for (Candidate &each : candidates)
    if (each.parts.size() == 1 && !gathers(each.parts[0].queries) && !gathers(each.parts[0].keys)) {
      if (each.cost.seconds < kHopeless * candidates.front().cost.seconds)
        if (Result<void> ok = counted(each); !ok)
          return ok;
      break;
    }
  sort(candidates);
  for (int i = 0; i < kMostCounted; ++i) {
    if (Result<void> ok = counted(candidates.front()); !ok)
      return ok;
    sort(candidates);
  }
  return {};
}

} // namespace

Result<Cost> costOf(const std::vector<Part> &parts, const LayoutRequest &request,
                    const CostShape &shape, const CostTarget &target) {
  LayoutRequest folds = folded(request, shape);
  Sum sum(folds, shape, target);
  for (const Part &part : parts) {
    Part fold = folded(part, shape);
    // One layout at a time: at a million tokens each may take a hundred megabytes.
    Result<std::vector<BlockLayout>> layout = layoutsOf({fold}, folds);
    if (!layout)
      return layout.error();
    Prices prices = pricesOf(fold, folds, shape, target);
    sum.add(workOf(layout->front(), prices), prices, countElements(part.attend, request));
  }
  return sum.total();
}

Result<std::vector<Candidate>> weigh(const Expr &attend, const LayoutRequest &request,
                                     const CostShape &shape, const CostTarget &target,
                                     const Choice &choice) {
  return Scale(request, shape, target, choice).run(attend);
}

Result<void> count(Candidate &candidate, const LayoutRequest &request, const CostShape &shape,
                   const CostTarget &target) {
  LayoutRequest at = request;
  at.blockQ = candidate.block.q;
  at.blockK = candidate.block.k;
  Result<Cost> cost = costOf(candidate.parts, at, shape, target);
  if (!cost)
    return cost.error();
  candidate.cost = *cost;
  return {};
}

} // namespace sparsec
