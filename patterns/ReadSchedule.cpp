// The `schedule:` of a file or a head.
#include "patterns/ReadPattern.h"

#include <fmt/format.h>

namespace sparsec {

namespace {

constexpr int64_t kLargestBlock = 4096;
constexpr int64_t kLargestPeriod = (int64_t(1) << 31) - 1;
constexpr std::string_view kOrderForms = "'auto', 'natural', {residue: l}, {tails: [l, c]}, "
                                         "{grid: [...], tile: [...]} or {table: file}";

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

using Sizes = std::vector<int64_t>;
using OrderChoice = std::optional<OrderSpec>;

/// A list of `count` sizes (0: one or more).
Result<Sizes> readSizes(const YamlNode &node, const ScheduleContext &context, size_t count) {
  bool right = node.kind == YamlNode::Sequence && !node.items.empty() &&
               (count == 0 || node.items.size() == count);
  if (!right)
    return expected(count == 0 ? "a list of sizes" : fmt::format("a list of {} sizes", count),
                    node);
  Sizes sizes;
  for (const YamlNode &item : node.items) {
    Result<int64_t> size = readConstant(item, context.scope, context.budget, 1, kLargestPeriod);
    if (!size)
      return size.error();
    sizes.push_back(*size);
  }
  return sizes;
}

/// The order if it is one.
Result<OrderChoice> checked(OrderSpec spec, const SourceRange &where) {
  if (Result<void> possible = check(spec, where); !possible)
    return possible.error();
  return OrderChoice(std::move(spec));
}

Result<OrderChoice> readGrid(const YamlNode &node, const ScheduleContext &context) {
  const YamlNode *grid = find(node, "grid"), *tile = find(node, "tile");
  if (!grid && !tile)
    return expected(kOrderForms, node.entries.empty() ? node : node.entries[0].key);
  if (Result<void> keys = checkKeys(node, "an order", {"grid", "tile"}); !keys)
    return keys.error();
  if (!grid || !tile)
    return inputError(
        fmt::format("expected both 'grid' and 'tile', found '{}' alone", grid ? "grid" : "tile"),
        node.where);
  Result<Sizes> sizes = readSizes(*grid, context, 0);
  if (!sizes)
    return sizes.error();
  Result<Sizes> box = readSizes(*tile, context, grid->items.size());
  if (!box)
    return box.error();
  return checked(GridOrder{*std::move(sizes), *std::move(box)}, grid->where);
}

/// The forms that are a mapping of their own.
Result<OrderChoice> readOrderMap(const YamlNode &node, const ScheduleContext &context) {
  for (const char *key : {"residue", "tails", "table"})
    if (find(node, key))
      if (Result<void> keys = checkKeys(node, "an order", {key}); !keys)
        return keys.error();
  if (const YamlNode *period = find(node, "residue")) {
    Result<int64_t> value = readConstant(*period, context.scope, context.budget, 1, kLargestPeriod);
    if (!value)
      return value.error();
    return checked(ResidueOrder{*value}, period->where);
  }
  if (const YamlNode *tails = find(node, "tails")) {
    Result<Sizes> sizes = readSizes(*tails, context, 2);
    if (!sizes)
      return sizes.error();
    return checked(TailsOrder{(*sizes)[0], (*sizes)[1]}, tails->where);
  }
  if (const YamlNode *table = find(node, "table")) {
    if (table->kind != YamlNode::Scalar || table->text.empty())
      return expected("the name of a file", *table);
    Result<TableOrder> read = readTableFile(table->text, table->where, context.files);
    if (!read)
      return read.error();
    return OrderChoice(*std::move(read));
  }
  return readGrid(node, context);
}

/// The order of one axis.
Result<OrderChoice> readOrder(const YamlNode &node, const ScheduleContext &context) {
  if (node.kind == YamlNode::Map)
    return readOrderMap(node, context);
  if (node.kind == YamlNode::Scalar && node.text == "auto")
    return OrderChoice();
  if (node.kind == YamlNode::Scalar && node.text == "natural")
    return OrderChoice(NaturalOrder{});
  return expected(kOrderForms, node);
}

/// One order for both axes, or {q: ..., k: ...}.
Result<void> readOrders(const YamlNode &node, const ScheduleContext &context, Schedule &schedule) {
  const YamlNode *q = node.kind == YamlNode::Map ? find(node, "q") : nullptr;
  const YamlNode *k = node.kind == YamlNode::Map ? find(node, "k") : nullptr;
  if (!q && !k) {
    Result<OrderChoice> both = readOrder(node, context);
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
    Result<OrderChoice> one = readOrder(*axis, context);
    if (!one)
      return one.error();
    *order = *std::move(one);
  }
  return {};
}

Result<SplitChoice> readSplit(const YamlNode &node) {
  if (node.kind == YamlNode::Scalar && node.text == "auto")
    return SplitChoice::Auto;
  if (node.kind == YamlNode::Scalar && node.text == "never")
    return SplitChoice::Never;
  if (node.kind == YamlNode::Scalar && node.text == "always")
    return SplitChoice::Always;
  return expected("'auto', 'always' or 'never'", node);
}

} // namespace

Result<TableOrder> readTableFile(const std::string &name, const SourceRange &where,
                                 const FileReader &files) {
  Result<std::shared_ptr<const SourceText>> text =
      readNamedFile(name, "an order without a file, found the table", where, files);
  if (!text)
    return text.error();
  Result<TableOrder> table = readTable(*text);
  if (table)
    table->name = name;
  return table;
}

Result<void> readSchedule(const YamlNode &node, const ScheduleContext &context, HeadEntry &entry) {
  if (Result<void> keys = checkKeys(node, "a schedule", {"block", "order", "split"}); !keys)
    return keys;
  if (const YamlNode *block = find(node, "block")) {
    Result<Block> read = readBlock(*block);
    if (!read)
      return read.error();
    entry.schedule.block = *read;
    entry.blockWhere = block->where;
  }
  if (const YamlNode *order = find(node, "order")) {
    if (Result<void> read = readOrders(*order, context, entry.schedule); !read)
      return read;
    entry.orderWhere = order->where;
  }
  if (const YamlNode *split = find(node, "split")) {
    Result<SplitChoice> read = readSplit(*split);
    if (!read)
      return read.error();
    entry.schedule.split = *read;
    entry.splitWhere = split->where;
  }
  return {};
}

} // namespace sparsec
