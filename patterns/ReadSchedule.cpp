// The `schedule:` of a file or a head. Every form of the language is read and checked; what no
// backend builds yet is then refused by its name.
#include "patterns/ReadPattern.h"

#include <fmt/format.h>

namespace sparsec {

namespace {

constexpr int64_t kLargestBlock = 4096;
constexpr int64_t kLargestPeriod = (int64_t(1) << 31) - 1;
constexpr std::string_view kOrderForms = "'auto', 'natural', {residue: l}, {tails: [l, c]}, "
                                         "{grid: [...], tile: [...]} or {table: file}";

Error notBuilt(std::string_view what, const YamlNode &node, std::string_view instead) {
  return inputError(fmt::format("{} is not built yet: {}", what, instead), node.where);
}

constexpr std::string_view kBlockForms = "'auto', a size, [BQ, BK] or BQxBK";

/// 64 or 64x32.
Result<Block> readBlockText(const YamlNode &node) {
  size_t cross = node.text.find('x');
  std::string q = node.text.substr(0, cross);
  std::string k = cross == std::string::npos ? q : node.text.substr(cross + 1);
  auto isNumber = [](const std::string &text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  };
  if (node.style != YamlNode::Plain || !isNumber(q) || !isNumber(k) || q[0] == '0' || k[0] == '0')
    return expected(kBlockForms, node);
  // At most one digit more than the largest, so that they fit what they are read into.
  auto size = [](const std::string &text) { return std::stoi(text.substr(0, 5)); };
  if (size(q) > kLargestBlock || size(k) > kLargestBlock)
    return expected(fmt::format("block sizes of at most {}", kLargestBlock), node);
  return Block{size(q), size(k)};
}

Result<Block> readBlock(const YamlNode &node) {
  if (node.kind == YamlNode::Scalar && node.text == "auto")
    return Block{};
  if (node.kind == YamlNode::Scalar)
    return readBlockText(node);
  if (node.kind != YamlNode::Sequence || node.items.size() != 2)
    return expected(kBlockForms, node);
  Result<int64_t> q = readInteger(node.items[0], 1, kLargestBlock, "a block size");
  if (!q)
    return q.error();
  Result<int64_t> k = readInteger(node.items[1], 1, kLargestBlock, "a block size");
  if (!k)
    return k.error();
  return Block{static_cast<int>(*q), static_cast<int>(*k)};
}

/// A list of `count` sizes (0: one or more).
Result<void> checkSizes(const YamlNode &node, const Scope &scope, ExpansionBudget &budget,
                        size_t count) {
  bool right = node.kind == YamlNode::Sequence && !node.items.empty() &&
               (count == 0 || node.items.size() == count);
  if (!right)
    return expected(count == 0 ? "a list of sizes" : fmt::format("a list of {} sizes", count),
                    node);
  for (const YamlNode &item : node.items)
    if (Result<int64_t> size = readConstant(item, scope, budget, 1, kLargestPeriod); !size)
      return size.error();
  return {};
}

/// The forms that are a mapping of their own; always an Error, the right one.
Error orderMapError(const YamlNode &node, const Scope &scope, ExpansionBudget &budget) {
  constexpr std::string_view kInstead = "write 'natural' or 'auto'";
  if (const YamlNode *period = find(node, "residue")) {
    if (Result<void> keys = checkKeys(node, "an order", {"residue"}); !keys)
      return keys.error();
    if (Result<int64_t> value = readConstant(*period, scope, budget, 1, kLargestPeriod); !value)
      return value.error();
    return notBuilt("order 'residue'", node.entries[0].first, kInstead);
  }
  if (const YamlNode *tails = find(node, "tails")) {
    if (Result<void> keys = checkKeys(node, "an order", {"tails"}); !keys)
      return keys.error();
    if (Result<void> sizes = checkSizes(*tails, scope, budget, 2); !sizes)
      return sizes.error();
    return notBuilt("order 'tails'", node.entries[0].first, kInstead);
  }
  if (const YamlNode *table = find(node, "table")) {
    if (Result<void> keys = checkKeys(node, "an order", {"table"}); !keys)
      return keys.error();
    if (table->kind != YamlNode::Scalar || table->text.empty())
      return expected("the name of a file", *table);
    return notBuilt("order 'table'", node.entries[0].first, kInstead);
  }
  const YamlNode *grid = find(node, "grid"), *tile = find(node, "tile");
  if (!grid && !tile)
    return expected(kOrderForms, node.entries.empty() ? node : node.entries[0].first);
  if (Result<void> keys = checkKeys(node, "an order", {"grid", "tile"}); !keys)
    return keys.error();
  if (!grid || !tile)
    return inputError(
        fmt::format("expected both 'grid' and 'tile', found '{}' alone", grid ? "grid" : "tile"),
        node.where);
  if (Result<void> sizes = checkSizes(*grid, scope, budget, 0); !sizes)
    return sizes.error();
  if (Result<void> sizes = checkSizes(*tile, scope, budget, grid->items.size()); !sizes)
    return sizes.error();
  return notBuilt("order 'grid'", node.entries[0].first, kInstead);
}

/// The order of one axis.
Result<OrderKind> readOrder(const YamlNode &node, const Scope &scope, ExpansionBudget &budget) {
  if (node.kind == YamlNode::Map)
    return orderMapError(node, scope, budget);
  if (node.kind == YamlNode::Scalar && node.text == "auto")
    return OrderKind::Auto;
  if (node.kind == YamlNode::Scalar && node.text == "natural")
    return OrderKind::Natural;
  return expected(kOrderForms, node);
}

/// One order for both axes, or {q: ..., k: ...}.
Result<void> readOrders(const YamlNode &node, const Scope &scope, ExpansionBudget &budget,
                        Schedule &schedule) {
  const YamlNode *q = node.kind == YamlNode::Map ? find(node, "q") : nullptr;
  const YamlNode *k = node.kind == YamlNode::Map ? find(node, "k") : nullptr;
  if (!q && !k) {
    Result<OrderKind> both = readOrder(node, scope, budget);
    if (!both)
      return both.error();
    schedule.orderQ = schedule.orderK = *both;
    return {};
  }
  if (Result<void> keys = checkKeys(node, "the orders of the two axes", {"q", "k"}); !keys)
    return keys;
  for (auto [axis, order] : {std::pair(q, &schedule.orderQ), std::pair(k, &schedule.orderK)}) {
    if (!axis)
      continue;
    Result<OrderKind> one = readOrder(*axis, scope, budget);
    if (!one)
      return one.error();
    *order = *one;
  }
  return {};
}

Result<SplitChoice> readSplit(const YamlNode &node) {
  if (node.kind == YamlNode::Scalar && node.text == "auto")
    return SplitChoice::Auto;
  if (node.kind == YamlNode::Scalar && node.text == "never")
    return SplitChoice::Never;
  if (node.kind == YamlNode::Scalar && node.text == "always")
    return notBuilt("split 'always'", node, "write 'never' or 'auto'");
  return expected("'auto', 'always' or 'never'", node);
}

} // namespace

Result<void> readSchedule(const YamlNode &node, const Scope &scope, ExpansionBudget &budget,
                          HeadEntry &entry) {
  if (Result<void> keys = checkKeys(node, "a schedule", {"block", "order", "split"}); !keys)
    return keys;
  if (const YamlNode *block = find(node, "block")) {
    Result<Block> read = readBlock(*block);
    if (!read)
      return read.error();
    entry.schedule.block = *read;
    entry.blockWhere = block->where;
  }
  if (const YamlNode *order = find(node, "order"))
    if (Result<void> read = readOrders(*order, scope, budget, entry.schedule); !read)
      return read;
  if (const YamlNode *split = find(node, "split")) {
    Result<SplitChoice> read = readSplit(*split);
    if (!read)
      return read.error();
    entry.schedule.split = *read;
  }
  return {};
}

} // namespace sparsec
