#include "layout/Cuts.h"
#include "layout/cost/Tally.h"

#include <algorithm>
#include <deque>
#include <limits>

namespace sparsec {

namespace {

/// Rows that stand for all of a layout's: a few first, and more unless it is hopeless.
constexpr int64_t kFirstRows = 2, kSampledRows = 8;
/// So many of the first ways are counted before one is chosen, with this share of the budget.
constexpr int kMostCounted = 8;
constexpr int64_t kShare = 2;
/// A way this much slower than the best so far is not looked at further.
constexpr double kHopeless = 2;

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
  Tally tally;
  double seconds = 0;
};

class Scale {
public:
  Scale(const LayoutRequest &request, const CostShape &shape, const CostTarget &target,
        const Choice &choice, Ledger &ledger)
      : asked(ledger.within(request)), shape(shape), target(target), choice(choice),
        ledger(ledger) {
    blocks = choice.blocks;
    if (blocks.empty())
      blocks = {{request.blockQ, request.blockK}};
  }

  Result<std::vector<Candidate>> run(const Expr &attend);

private:
  /// All the ways to compute one predicate, as weigh() has them.
  struct Ways {
    Expr attend;
    Tally elements; ///< these alone
    std::vector<AxisOrders> orders;
    std::vector<bool> hopeless; ///< by order
  };

  /// The parts of a union, likewise.
  struct Split {
    Union all;
    std::vector<Ways> ofParts;
  };

  Ways waysOf(const Expr &attend) const;
  Split &splitOf(const Union &all);
  Union worthSplitting(const Expr &attend) const;
  Result<std::optional<Candidate>> weighSplit(const Block &block, const Union &all, double &least);
  Tally tallyOf(const Part &part, const Fold &fold, const LayoutRequest &request,
                int64_t rows) const;
  LayoutRequest at(const Block &block) const;
  Result<std::vector<Weighed>> weighAt(const Block &block, Ways &ways, double least) const;
  Result<void> countCheapest(std::vector<Candidate> &candidates) const;
  static void sort(std::vector<Candidate> &candidates);
  Candidate candidate(const Block &block, const std::vector<const Weighed *> &parts) const;

  LayoutRequest asked;
  const CostShape &shape;
  const CostTarget &target;
  const Choice &choice;
  Ledger &ledger;
  std::vector<Block> blocks;
  std::deque<Split> splits; ///< that were weighed at some block
};

LayoutRequest Scale::at(const Block &block) const {
  LayoutRequest request = asked;
  request.blockQ = block.q;
  request.blockK = block.k;
  return request;
}

Scale::Ways Scale::waysOf(const Expr &attend) const {
  // What boxes of a grid are suggested follows the block: the first one's do for all.
  LayoutRequest request = at(blocks[0]);
  Ways ways{.attend = attend,
            .elements = {},
            .orders = ordersFor(attend, request, choice),
            .hopeless = {}};
  ways.hopeless.resize(ways.orders.size());
  addElements(attend, ledger.within(request, kShare), ways.elements, ledger);
  return ways;
}

/// From some rows. To know one row of what keys draw, all of them would have to be asked: all rows
/// are as quick, by their columns.
Tally Scale::tallyOf(const Part &part, const Fold &fold, const LayoutRequest &request,
                     int64_t rows) const {
  Cuts cuts(fold.part.attend);
  if (cuts.drawsByKey() && !cuts.drawsByQuery())
    if (auto all = exactTally(part, ledger.within(request, kShare), shape, target, ledger))
      return *all;
  return estimate(fold, rows);
}

/// The orders that are not hopeless, at one block; `least`, what the best way so far takes. The
/// natural order comes last: where another one is good, it has the most runs to look at.
Result<std::vector<Weighed>> Scale::weighAt(const Block &block, Ways &ways, double least) const {
  LayoutRequest request = at(block);
  std::vector<Weighed> result;
  for (size_t i = ways.orders.size(); i-- > 0;) {
    if (ways.hopeless[i])
      continue;
    Part part = {ways.attend, ways.orders[i].queries, ways.orders[i].keys};
    Result<Fold> fold = Fold::of(part, request, shape, target);
    if (!fold)
      return fold.error();
    Weighed each{part, {}, 0};
    for (int64_t rows : {kFirstRows, kSampledRows}) {
      if (rows > kFirstRows && ledger.left() == 0)
        break;
      each.tally = tallyOf(part, *fold, request, rows);
      bool all = each.tally.exact;
      each.tally.elements = ways.elements.elements;
      each.tally.elementsExact = ways.elements.elementsExact;
      each.tally.exact = all && ways.elements.elementsExact;
      each.seconds = costOf({part}, {each.tally}, request, shape, target, {block}).seconds;
      ways.hopeless[i] = each.seconds > kHopeless * least;
      if (ways.hopeless[i] || all)
        break;
    }
    least = std::min(least, each.seconds);
    result.push_back(std::move(each));
  }
  std::reverse(result.begin(), result.end());
  return result;
}

Candidate Scale::candidate(const Block &block, const std::vector<const Weighed *> &parts) const {
  Candidate result{.block = block,
                   .parts = {},
                   .cost = {},
                   .tallies = {},
                   .counted = at(block),
                   .denseBlocks = blocks};
  result.counted.work = nullptr;
  for (const Weighed *part : parts) {
    result.parts.push_back(part->part);
    result.tallies.push_back(part->tally);
  }
  result.cost = costOf(result.parts, result.tallies, at(block), shape, target, blocks);
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

/// Parts in the same orders are better one: it has no block that they have not. So what suggests
/// natural order alone is not split.
Union Scale::worthSplitting(const Expr &attend) const {
  Union all = unionOf(attend);
  if (choice.split == SplitChoice::Always)
    return all;
  std::vector<Expr> parts = disjointParts(all);
  std::vector<size_t> numbers;
  for (size_t i = 0; i < parts.size(); ++i)
    numbers.push_back(ordersFor(parts[i], at(blocks[0]), choice).size() == 1 ? parts.size() : i);
  return grouped(all, numbers);
}

Scale::Split &Scale::splitOf(const Union &all) {
  auto known = std::find_if(splits.begin(), splits.end(), [&](const Split &split) {
    return std::equal(split.all.alternatives.begin(), split.all.alternatives.end(),
                      all.alternatives.begin(), all.alternatives.end(),
                      [](const Expr &a, const Expr &b) { return equal(a, b); });
  });
  if (known != splits.end())
    return *known;
  Split &split = splits.emplace_back(all, std::vector<Ways>());
  for (const Expr &part : disjointParts(all))
    split.ofParts.push_back(waysOf(part));
  return split;
}

/// Each part in its best orders, those of the same orders joined; nothing when all are: the whole
/// in those orders is not slower.
Result<std::optional<Candidate>> Scale::weighSplit(const Block &block, const Union &all,
                                                   double &least) {
  if (all.alternatives.size() < 2)
    return std::optional<Candidate>();
  std::vector<std::vector<Weighed>> kept;
  std::vector<const Weighed *> best;
  std::vector<size_t> numbers; // of each part, the first one in its orders
  for (Ways &each : splitOf(all).ofParts) {
    Result<std::vector<Weighed>> ways =
        weighAt(block, each, std::numeric_limits<double>::infinity());
    if (!ways)
      return ways.error();
    kept.push_back(*std::move(ways));
    best.push_back(&*std::min_element(
        kept.back().begin(), kept.back().end(),
        [](const Weighed &a, const Weighed &b) { return a.seconds < b.seconds; }));
    size_t first = 0;
    while (best[first]->part.queries != best.back()->part.queries ||
           best[first]->part.keys != best.back()->part.keys)
      ++first;
    numbers.push_back(first);
  }
  Candidate found = candidate(block, best);
  least = std::min(least, found.cost.seconds);
  Union joined = grouped(all, numbers);
  if (choice.split != SplitChoice::Always && joined.alternatives.size() < all.alternatives.size())
    return weighSplit(block, joined, least);
  return std::optional(std::move(found));
}

Result<std::vector<Candidate>> Scale::run(const Expr &attend) {
  std::vector<Candidate> candidates;
  Union all{.alternatives = {attend}, .common = {}};
  if (choice.split != SplitChoice::Never)
    all = worthSplitting(attend);
  bool whole = choice.split != SplitChoice::Always || disjointParts(all).size() == 1;
  Ways ways;
  if (whole)
    ways = waysOf(attend);
  double least = std::numeric_limits<double>::infinity();
  for (const Block &block : blocks) {
    Result<std::optional<Candidate>> split = weighSplit(block, all, least);
    if (!split)
      return split.error();
    if (*split)
      candidates.push_back(**std::move(split));
    if (!whole)
      continue;
    Result<std::vector<Weighed>> one = weighAt(block, ways, least);
    if (!one)
      return one.error();
    for (const Weighed &each : *one) {
      candidates.push_back(candidate(block, {&each}));
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
  int64_t reserve = ledger.left() - ledger.within(asked, kShare).maximumUnits; // what it leaves
  auto counted = [&](Candidate &each) -> Result<void> {
    if (each.cost.exact || ledger.left() <= reserve)
      return {};
    LayoutRequest request = asked;
    request.maximumUnits = ledger.left() - reserve;
    Result<void> ok = countExactly(each, request, shape, target, ledger);
    return !ok && ok.error().kind == ErrorKind::Machine ? Result<void>() : ok;
  };
  Result<void> ok;
  for (Candidate &each : candidates)
    if (each.parts.size() == 1 && !gathers(each.parts[0].queries) && !gathers(each.parts[0].keys)) {
      if (each.cost.seconds < kHopeless * candidates.front().cost.seconds)
        ok = counted(each);
      break;
    }
  sort(candidates);
  for (int i = 0; ok && i < kMostCounted && !candidates.front().cost.exact; ++i) {
    ok = counted(candidates.front());
    sort(candidates);
  }
  return ok;
}

} // namespace

Result<std::vector<Candidate>> weigh(const Expr &attend, const LayoutRequest &request,
                                     const CostShape &shape, const CostTarget &target,
                                     const Choice &choice, Ledger &ledger) {
  return Scale(request, shape, target, choice, ledger).run(attend);
}

Result<std::vector<Candidate>> weigh(const Expr &attend, const LayoutRequest &request,
                                     const CostShape &shape, const CostTarget &target,
                                     const Choice &choice) {
  Ledger ledger(request.threads, request.maximumUnits);
  auto all = weigh(attend, request, shape, target, choice, ledger);
  if (request.work)
    request.work->add(ledger.work());
  return all;
}

} // namespace sparsec
