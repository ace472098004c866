#include "layout/cost/Cost.h"

#include <fmt/format.h>

#include <algorithm>

namespace sparsec {

namespace {

std::string grouped(int64_t number) {
  std::string text = fmt::format("{}", number);
  for (int64_t at = static_cast<int64_t>(text.size()) - 3; at > 0; at -= 3)
    text.insert(at, ",");
  return text;
}

std::string ordersOf(const Part &part) {
  std::string queries = print(part.queries), keys = print(part.keys);
  return queries == keys ? queries : fmt::format("q {}, k {}", queries, keys);
}

} // namespace

std::string ordersText(const std::vector<Part> &parts) {
  std::vector<std::string> orders;
  for (const Part &part : parts)
    orders.push_back(ordersOf(part));
  return fmt::format("{}", fmt::join(orders, " | "));
}

std::string table(const std::vector<Candidate> &candidates, size_t most) {
  size_t shown = std::min(most, candidates.size());
  std::vector<std::string> orders = {"orders"};
  size_t width = orders[0].size();
  for (size_t i = 0; i < shown; ++i) {
    orders.push_back(ordersText(candidates[i].parts));
    width = std::max(width, orders.back().size());
  }
  std::string text = fmt::format("block    parts  {:<{}}  {:>13}  {:>7}  {:>7}  {:>10}  {:>11}\n",
                                 orders[0], width, "live", "useful", "balance", "bytes", "time");
  bool estimated = false;
  for (size_t i = 0; i < shown; ++i) {
    const Block &block = candidates[i].block;
    const std::vector<Part> &parts = candidates[i].parts;
    const Cost &cost = candidates[i].cost;
    estimated |= !cost.exact;
    text += fmt::format(
        "{:<7}  {:>5}  {:<{}}  {:>13}  {:>5.1f} %  {:>5.1f} %  {:>7.1f} MB  {:>8.1f} us\n",
        fmt::format("{}x{}", block.q, block.k), parts.size(), orders[i + 1], width,
        (cost.exact ? "" : "~ ") + grouped(cost.blocks.live), 100 * cost.useful(),
        100 * cost.balance, cost.bytes / 1e6, 1e6 * cost.seconds);
  }
  if (candidates.size() > shown)
    text += fmt::format("and {} slower\n", candidates.size() - shown);
  if (estimated)
    text += "~ estimated from a few rows of blocks; the others are counted exactly\n";
  const Cost &first = candidates.front().cost;
  return text + fmt::format("dense {:.1f} us; a pattern like this is faster below a density of "
                            "{:.1f} %\n",
                            1e6 * first.denseSeconds, 100 * first.breakEven);
}

} // namespace sparsec
