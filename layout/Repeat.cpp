#include "layout/Repeat.h"

#include "layout/Period.h"
#include "layout/Specialise.h"

#include <numeric>

namespace sparsec {

namespace {

bool isNatural(const Order &order) {
  return order.size() > 0 && std::holds_alternative<NaturalOrder>(order.spec());
}

/// The least common multiple, or nothing when it is above `most`. All are below 2^31.
std::optional<int64_t> multipleUpTo(int64_t most, int64_t a, int64_t b) {
  int64_t multiple = std::lcm(a, b);
  return multiple <= most ? std::optional(multiple) : std::nullopt;
}

/// Chains of one residue follow each other, all of one length and in whole tiles: where the
/// predicate repeats along the diagonal, the next chains have the same blocks.
std::optional<Repeat> repeatOfChains(const Expr &attend, const LayoutRequest &request,
                                     const Order &queries, const Order &keys) {
  const auto *q = std::get_if<ResidueOrder>(&queries.spec());
  const auto *k = std::get_if<ResidueOrder>(&keys.spec());
  bool whole = q && k && *q == *k && queries.size() > 0 && keys.size() > 0 &&
               queries.size() % q->period == 0 && keys.size() % k->period == 0 &&
               queries.shortTiles().empty() && keys.shortTiles().empty();
  if (!whole)
    return std::nullopt;
  const Lattice::Axis *ofQueries = queries.lattices()[0].axes.data();
  const Lattice::Axis *ofKeys = keys.lattices()[0].axes.data();
  if (ofQueries[2].box != 1 || ofKeys[2].box != 1)
    return std::nullopt;
  Range rows = {.first = request.q0, .count = request.nq};
  Expr left = specialise(attend, {rows, {.count = request.nk}}, request.h, request.sizes());
  std::optional<int64_t> p = period(left, kDiagonal);
  if (!p || *p > q->period / 2)
    return std::nullopt;
  return Repeat{*p * ofQueries[1].parts(), *p * ofKeys[1].parts(), 0, 0};
}

} // namespace

std::optional<Repeat> findRepeat(const Expr &attend, const LayoutRequest &request,
                                 const Order &queries, const Order &keys, int64_t firstRow) {
  if (!isNatural(queries) || !isNatural(keys))
    return firstRow == 0 ? repeatOfChains(attend, request, queries, keys) : std::nullopt;
  int64_t tileQ = queries.tile(), tileK = keys.tile();
  int64_t skippedRows = firstRow * tileQ;
  // Exceptions of the first columns: they cost a look at twice as many columns each time.
  for (int64_t firstColumn = 0; firstColumn <= keys.tileCount() / 4;
       firstColumn = firstColumn ? 2 * firstColumn : 1) {
    int64_t skippedKeys = firstColumn * tileK;
    Range q = {.first = request.q0 + skippedRows, .count = request.nq - skippedRows};
    Range k = {.first = skippedKeys, .count = request.nk - skippedKeys};
    Expr left = specialise(attend, {q, k}, request.h, request.sizes());

    if (std::optional<int64_t> p = period(left, kDown))
      if (std::optional<int64_t> steps = multipleUpTo(q.count / 2, *p, tileQ))
        return Repeat{*steps / tileQ, 0, firstRow, firstColumn};
    if (std::optional<int64_t> p = period(left, kDiagonal)) {
      int64_t most = std::min(q.count, k.count) / 2;
      std::optional<int64_t> blocks = multipleUpTo(most, tileQ, tileK);
      if (std::optional<int64_t> steps = blocks ? multipleUpTo(most, *p, *blocks) : blocks)
        return Repeat{*steps / tileQ, *steps / tileK, firstRow, firstColumn};
    }
  }
  return std::nullopt;
}

} // namespace sparsec
