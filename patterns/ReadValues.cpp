// Nodes of a document as the values that keys ask for.
#include "patterns/ReadPattern.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <limits>

namespace sparsec {

std::optional<int64_t> decimal(std::string_view text) {
  std::string_view digits = text.substr(text.starts_with('-'));
  if (digits.empty() || (digits.size() > 1 && digits[0] == '0') ||
      !std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return std::nullopt;
  int64_t value = 0;
  auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc() ? std::optional(value) : std::nullopt;
}

Error expected(std::string_view what, const YamlNode &node) {
  return inputError(fmt::format("expected {}, found {}", what, describe(node)), node.where);
}

const YamlNode *find(const YamlNode &map, std::string_view key) {
  for (const auto &[name, value] : map.entries)
    if (name.text == key)
      return &value;
  return nullptr;
}

Result<void> checkKeys(const YamlNode &node, std::string_view what,
                       const std::vector<std::string> &keys) {
  if (node.kind != YamlNode::Map)
    return expected(fmt::format("{}, a mapping of {}", what, fmt::join(keys, ", ")), node);
  for (const auto &[name, value] : node.entries)
    if (std::find(keys.begin(), keys.end(), name.text) == keys.end()) {
      std::string near = suggestion(name.text, keys);
      Error error = inputError(fmt::format("unknown key {} in {}{}", quote(name.text), what, near),
                               name.where);
      if (near.empty())
        error.notes.push_back(fmt::format("its keys are {}", fmt::join(keys, ", ")));
      return error;
    }
  return {};
}

namespace {

std::string rangeText(int64_t least, int64_t most) {
  return most == std::numeric_limits<int64_t>::max() ? fmt::format("of at least {}", least)
                                                     : fmt::format("from {} to {}", least, most);
}

/// The first leaf that has no value before a kernel runs.
const Node *positionLeaf(const Node &node) {
  if (node.operands.empty())
    return node.op == Op::Integer || node.op == Op::True || node.op == Op::False ? nullptr : &node;
  for (const Expr &operand : node.operands)
    if (const Node *found = positionLeaf(*operand))
      return found;
  return nullptr;
}

} // namespace

std::optional<Error> dependsOnPosition(const Expr &expr, std::string_view what) {
  const Node *leaf = positionLeaf(*expr);
  if (!leaf)
    return std::nullopt;
  return inputError(fmt::format("expected {} of numbers and parameters, found '{}'", what,
                                print(sparsec::leaf(leaf->op))),
                    leaf->where);
}

Result<int64_t> readInteger(const YamlNode &node, int64_t least, int64_t most,
                            std::string_view what) {
  bool plain = node.kind == YamlNode::Scalar && node.style == YamlNode::Plain;
  std::optional<int64_t> value = plain ? decimal(node.text) : std::nullopt;
  if (!value)
    return expected(fmt::format("{}, a decimal integer", what), node);
  if (*value < least || *value > most)
    return expected(fmt::format("{} {}", what, rangeText(least, most)), node);
  return *value;
}

Result<int64_t> readConstant(const YamlNode &node, const Scope &scope, ExpansionBudget &budget,
                             int64_t least, int64_t most) {
  if (node.kind != YamlNode::Scalar)
    return expected("an integer", node);
  Result<Syntax> syntax = parseSyntax(node.expression());
  if (!syntax)
    return syntax.error();
  Result<Expr> expr = resolve(*syntax, scope, budget);
  if (!expr)
    return expr.error();
  if (isPredicate((*expr)->op))
    return inputError("expected an integer, found a predicate", node.where);
  if (std::optional<Error> error = dependsOnPosition(*expr, "an integer"))
    return *error;
  int64_t value = evaluateInteger(*expr, {}, {});
  if (value < least || value > most)
    return inputError(
        fmt::format("expected an integer {}, found {}", rangeText(least, most), value), node.where);
  return value;
}

Result<std::shared_ptr<const SourceText>> readNamedFile(const std::string &name,
                                                        std::string_view what,
                                                        const SourceRange &where,
                                                        const FileReader &files) {
  if (!files)
    return inputError(
        fmt::format("expected {} {}: nothing beside this pattern can be read", what, quote(name)),
        where);
  Result<std::shared_ptr<const SourceText>> text = files(name);
  if (text)
    return text;
  Error error = text.error();
  if (!error.where)
    error.where = where;
  return error;
}

Result<ListRef> readListParam(const std::string &name, const YamlNode &value,
                              const FileReader &files) {
  if (value.kind == YamlNode::Sequence) {
    std::vector<int64_t> values;
    for (const YamlNode &item : value.items) {
      Result<int64_t> entry =
          readInteger(item, kLeastEntry, kMostEntry, fmt::format("an entry of '{}'", name));
      if (!entry)
        return entry.error();
      values.push_back(*entry);
    }
    if (auto wrong = checkEntries(values))
      return inputError(*wrong, value.where);
    return makeList(std::move(values), name);
  }
  if (Result<void> keys = checkKeys(value, "a list of a file", {"file"}); !keys)
    return keys.error();
  const YamlNode *file = find(value, "file");
  if (!file || file->kind != YamlNode::Scalar || file->text.empty())
    return expected("the name of a file: {file: ends.txt}", file ? *file : value);
  Result<std::shared_ptr<const SourceText>> text =
      readNamedFile(file->text, "a list in place, found the file", file->where, files);
  if (!text)
    return text.error();
  Result<ListRef> list = readList(*text);
  if (!list)
    return list;
  auto named = std::make_shared<IntegerList>(**list);
  named->name = name;
  return ListRef(named);
}

} // namespace sparsec
