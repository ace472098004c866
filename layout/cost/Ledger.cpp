#include "layout/cost/Ledger.h"

#include "layout/VisitRows.h"

#include <algorithm>

namespace sparsec {

namespace {

/// Of many lines those that have the most: per number of full blocks the most partial ones, and
/// none that another has more of both than.
void keepLongest(std::vector<BlockCounts> &lines) {
  std::sort(lines.begin(), lines.end(), [](const BlockCounts &a, const BlockCounts &b) {
    return std::pair(a.full, a.partial) > std::pair(b.full, b.partial);
  });
  std::vector<BlockCounts> kept;
  for (const BlockCounts &line : lines)
    if (kept.empty() || line.partial > kept.back().partial)
      kept.push_back(line);
  lines = std::move(kept);
}

class LineCounter {
public:
  void add(BlockCounts line) {
    line.live = line.full + line.partial;
    ++counts.lines;
    counts.full += line.full;
    counts.partial += line.partial;
    if (counts.longest.empty() || counts.longest.back() != line)
      counts.longest.push_back(line);
    constexpr size_t kMany = 4096;
    if (counts.longest.size() >= kMany + kept) {
      keepLongest(counts.longest);
      kept = counts.longest.size();
    }
  }
  LineCounts take() {
    keepLongest(counts.longest);
    return std::move(counts);
  }

private:
  LineCounts counts;
  size_t kept = 0;
};

Result<PartCounts> countsOf(const Part &part, const LayoutRequest &request) {
  Result<PartOrders> orders = PartOrders::of(part, request);
  if (!orders)
    return orders.error();
  int64_t columnCount = orders->keys.tileCount();
  LineCounter rows, columns;
  std::vector<BlockCounts> changes(columnCount + 1); // from one column to the next
  Result<void> visited = visitRows(
      part.attend, request, orders->queries, orders->keys, [&](std::span<const BlockRun> runs) {
        BlockCounts line;
        for (const BlockRun &run : runs) {
          int64_t BlockCounts::*kind =
              run.kind == BlockKind::Full ? &BlockCounts::full : &BlockCounts::partial;
          line.*kind += run.end - run.begin;
          ++(changes[run.begin].*kind);
          --(changes[run.end].*kind);
        }
        rows.add(line);
      });
  if (!visited)
    return visited.error();
  BlockCounts column;
  for (int64_t i = 0; i < columnCount; ++i) {
    column.full += changes[i].full;
    column.partial += changes[i].partial;
    columns.add(column);
  }
  return PartCounts{rows.take(), columns.take()};
}

} // namespace

LayoutRequest Ledger::within(LayoutRequest request, int64_t share) {
  request.threads = threads;
  request.work = &done;
  request.maximumUnits = std::min(request.maximumUnits, left()) / share;
  return request;
}

bool Ledger::Key::operator==(const Key &other) const {
  const LayoutRequest &a = request, &b = other.request;
  return a.nq == b.nq && a.nk == b.nk && a.q0 == b.q0 && a.blockQ == b.blockQ &&
         a.blockK == b.blockK && part.queries == other.part.queries &&
         part.keys == other.part.keys && equal(part.attend, other.part.attend) &&
         (a.h == b.h || !mentions(part.attend, Op::Head));
}

template <class Value, class Count>
Result<Value> Ledger::find(std::vector<Entry<Value>> &entries, Key key, Count &&count) {
  int64_t units = key.request.maximumUnits;
  auto at = std::find_if(entries.begin(), entries.end(),
                         [&](const Entry<Value> &entry) { return entry.key == key; });
  if (at != entries.end() && (at->value || at->units >= units))
    return at->value;
  Result<Value> value = count();
  if (at != entries.end())
    entries.erase(at);
  entries.push_back({std::move(key), value, units});
  return value;
}

Result<int64_t> Ledger::elements(const Expr &attend, const LayoutRequest &request) {
  Key key = {{attend, NaturalOrder{}, NaturalOrder{}}, request};
  key.request.blockQ = key.request.blockK = 1;
  return find(ofElements, std::move(key), [&] { return countElements(attend, request); });
}

Result<PartCounts> Ledger::blocks(const Part &part, const LayoutRequest &request) {
  return find(ofBlocks, {part, request}, [&]() -> Result<PartCounts> {
    constexpr int64_t kMostBytes = int64_t{1} << 25; // of rows that repeat
    LayoutRequest byRows = request;
    byRows.maximumBytes = std::min(request.maximumBytes, kMostBytes);
    Result<PartCounts> counts = countsOf(part, byRows);
    if (counts)
      return counts;
    // What has many runs in each row may have few in each column. At ragged ends the kinds of
    // blocks differ.
    if (request.nq % request.blockQ || request.nk % request.blockK)
      return counts;
    Result<PartCounts> turned = countsOf(exchanged(part, request), exchanged(byRows));
    if (!turned)
      return counts;
    std::swap(turned->rows, turned->columns);
    return turned;
  });
}

} // namespace sparsec
