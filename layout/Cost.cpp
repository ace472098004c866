#include "layout/Cost.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <queue>

namespace sparsec {

namespace {

/// Seconds until the last unit is done, and the mean of the units'.
struct Schedule {
  double longest = 0, mean = 0;
};

/// Rows longest first, each to the unit that is free first. All copies of a row stand together.
Schedule longestFirst(std::vector<double> rows, int64_t copies, int units) {
  Schedule result;
  double total = std::accumulate(rows.begin(), rows.end(), 0.0) * double(copies);
  result.mean = total / units;
  std::sort(rows.begin(), rows.end(), std::greater<>());
  std::priority_queue<double, std::vector<double>, std::greater<>> free;
  for (int i = 0; i < units; ++i)
    free.push(0);
  for (double row : rows)
    for (int64_t copy = 0; copy < copies; ++copy) {
      double end = free.top() + row;
      free.pop();
      free.push(end);
      result.longest = std::max(result.longest, end);
    }
  return result;
}

bool gathers(const OrderSpec &order) {
  return !std::holds_alternative<NaturalOrder>(order);
}

std::string print(const Part &part) {
  std::string queries = sparsec::print(part.queries), keys = sparsec::print(part.keys);
  return queries == keys ? queries : fmt::format("q {}, k {}", queries, keys);
}

std::string grouped(int64_t number) {
  std::string text = fmt::format("{}", number);
  for (int64_t at = static_cast<int64_t>(text.size()) - 3; at > 0; at -= 3)
    text.insert(at, ",");
  return text;
}

} // namespace

Result<Cost> costOf(const std::vector<Part> &parts, const LayoutRequest &request,
                    const CostShape &shape, const CostTarget &target) {
  Result<std::vector<BlockLayout>> layouts = layoutsOf(parts, request);
  if (!layouts)
    return layouts.error();
  Cost cost;
  double longest = 0, mean = 0;
  int64_t width = shape.headDim + shape.valueDim;
  for (size_t i = 0; i < parts.size(); ++i) {
    const BlockLayout &layout = (*layouts)[i];
    double keyBytes = double(request.blockK) * double(width * shape.elementBytes) *
                      (gathers(parts[i].keys) ? target.gatherPenalty : 1);
    double rowBytes = double(request.blockQ) * double(width * shape.elementBytes) *
                      (gathers(parts[i].queries) ? target.gatherPenalty : 1);
    double products = 2.0 * request.blockQ * request.blockK * double(width) / target.unitFlops;
    double loads = keyBytes / target.unitBytesPerSecond;
    double full = std::max(products, loads);
    double partial = std::max(products * target.partialPenalty, loads);
    std::vector<double> rows;
    for (int64_t row = 0; row < layout.rows(); ++row) {
      double seconds = target.rowSeconds;
      for (const BlockRun &run : layout.row(row))
        seconds += (run.end - run.begin) * (run.kind == BlockKind::Full ? full : partial);
      rows.push_back(seconds);
    }
    Schedule schedule = longestFirst(std::move(rows), shape.copies, target.units);
    BlockCounts blocks = layout.counts();
    double bytes = double(blocks.live) * keyBytes + double(layout.rows()) * rowBytes;
    longest += schedule.longest;
    mean += schedule.mean;
    cost.seconds += target.launchSeconds + std::max(schedule.longest, bytes * double(shape.copies) /
                                                                          target.bytesPerSecond);
    cost.bytes += bytes;
    cost.blocks.live += blocks.live;
    cost.blocks.full += blocks.full;
    cost.blocks.partial += blocks.partial;
    cost.elements += countElements(parts[i].attend, request);
  }
  cost.computed = cost.blocks.live * request.blockQ * request.blockK;
  cost.balance = longest > 0 ? mean / longest : 1;
  return cost;
}

Result<std::vector<Candidate>> weigh(const Expr &attend, const LayoutRequest &request,
                                     const CostShape &shape, const CostTarget &target) {
  std::vector<Candidate> candidates;
  auto add = [&](std::vector<Part> parts) -> Result<void> {
    Result<Cost> cost = costOf(parts, request, shape, target);
    if (!cost)
      return cost.error();
    candidates.push_back({std::move(parts), *cost});
    return {};
  };
  for (const AxisOrders &orders : candidateOrders(attend, request))
    if (Result<void> added = add({{attend, orders.queries, orders.keys}}); !added)
      return added.error();

  if (std::vector<Expr> split = disjointParts(attend); split.size() > 1) {
    std::vector<Part> best;
    for (const Expr &part : split) {
      std::optional<double> least;
      for (const AxisOrders &orders : candidateOrders(part, request)) {
        Part each = {part, orders.queries, orders.keys};
        Result<Cost> cost = costOf({each}, request, shape, target);
        if (!cost)
          return cost.error();
        if (least && cost->seconds >= *least)
          continue;
        if (least)
          best.pop_back();
        best.push_back(each);
        least = cost->seconds;
      }
    }
    if (Result<void> added = add(std::move(best)); !added)
      return added.error();
  }
  std::stable_sort(
      candidates.begin(), candidates.end(),
      [](const Candidate &a, const Candidate &b) { return a.cost.seconds < b.cost.seconds; });
  return candidates;
}

std::string table(const std::vector<Candidate> &candidates) {
  std::vector<std::string> names = {"orders"};
  size_t width = names[0].size();
  for (const Candidate &candidate : candidates) {
    std::vector<std::string> orders;
    for (const Part &part : candidate.parts)
      orders.push_back(print(part));
    names.push_back(fmt::format("{}", fmt::join(orders, " | ")));
    width = std::max(width, names.back().size());
  }
  std::string text = fmt::format("parts  {:<{}}  {:>10}  {:>7}  {:>7}  {:>9}  {:>10}\n", names[0],
                                 width, "live", "useful", "balance", "bytes", "time");
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Cost &cost = candidates[i].cost;
    text +=
        fmt::format("{:>5}  {:<{}}  {:>10}  {:>5.1f} %  {:>5.1f} %  {:>6.1f} MB  {:>7.1f} us\n",
                    candidates[i].parts.size(), names[i + 1], width, grouped(cost.blocks.live),
                    100 * cost.useful(), 100 * cost.balance, cost.bytes / 1e6, 1e6 * cost.seconds);
  }
  return text;
}

} // namespace sparsec
