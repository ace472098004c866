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

/// Tiles that are unlike are looked at one by one; more than these and nothing is won.
constexpr size_t kMostUnlike = 64;

std::optional<Repeat> withUnlike(Repeat repeat, const Order &queries, const Order &keys) {
  if (repeat.rows >= queries.tileCount() || repeat.columns >= keys.tileCount())
    return std::nullopt;
  repeat.unlikeRows = queries.unlike(repeat.rows);
  if (repeat.columns > 0)
    repeat.unlikeColumns = keys.unlike(repeat.columns);
  if (std::max(repeat.unlikeRows.size(), repeat.unlikeColumns.size()) > kMostUnlike)
    return std::nullopt;
  return repeat;
}

/// A repeat of what is left of the predicate over these positions.
std::optional<Repeat> repeatOf(const Expr &left, const Range &q, const Range &k,
                               const Order &queries, const Order &keys) {
  std::optional<Order::Step> rows = queries.step(), columns = keys.step();
  if (!rows)
    return std::nullopt;
  if (std::optional<int64_t> p = period(left, kDown))
    if (std::optional<int64_t> steps = multipleUpTo(q.count / 2, *p, rows->positions))
      return Repeat{*steps / rows->positions * rows->tiles, 0, 0, 0, {}, {}};
  if (!columns)
    return std::nullopt;
  if (std::optional<int64_t> p = period(left, kDiagonal)) {
    int64_t most = std::min(q.count, k.count) / 2;
    std::optional<int64_t> blocks = multipleUpTo(most, rows->positions, columns->positions);
    if (std::optional<int64_t> steps = blocks ? multipleUpTo(most, *p, *blocks) : blocks)
      return Repeat{*steps / rows->positions * rows->tiles,
                    *steps / columns->positions * columns->tiles,
                    0,
                    0,
                    {},
                    {}};
  }
  return std::nullopt;
}

} // namespace

std::optional<Repeat> findRepeat(const Expr &attend, const LayoutRequest &request,
                                 const Order &queries, const Order &keys, int64_t firstRow) {
  // Rows and columns can be left out where they are positions left out.
  bool natural = isNatural(queries) && isNatural(keys);
  if (request.nq == 0 || request.nk == 0 || (!natural && firstRow > 0))
    return std::nullopt;
  int64_t tileQ = queries.tile(), tileK = keys.tile();
  int64_t skippedRows = firstRow * tileQ;
  int64_t mostSkipped = natural ? keys.tileCount() / 4 : 0;
  // Exceptions of the first columns: they cost a look at twice as many columns each time.
  for (int64_t firstColumn = 0; firstColumn <= mostSkipped;
       firstColumn = firstColumn ? 2 * firstColumn : 1) {
    int64_t skippedKeys = firstColumn * tileK;
    Range q = {.first = request.q0 + skippedRows, .count = request.nq - skippedRows};
    Range k = {.first = skippedKeys, .count = request.nk - skippedKeys};
    Work::add(request.work, &Work::questions);
    Expr left = specialise(attend, {q, k}, request.h, request.sizes());
    if (std::optional<Repeat> repeat = repeatOf(left, q, k, queries, keys)) {
      repeat->firstRow = firstRow;
      repeat->firstColumn = firstColumn;
      return withUnlike(*std::move(repeat), queries, keys);
    }
  }
  return std::nullopt;
}

} // namespace sparsec
