#include "model/ConfigFields.h"

#include "patterns/Evaluate.h"
#include "patterns/ReadPattern.h"

#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <set>

namespace sparsec {

namespace {

/// A decimal number of the text's whole length; none when it is not one or not finite.
std::optional<double> decimalNumber(std::string_view text) {
  double value = 0;
  auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  bool whole = failure == std::errc() && end == text.data() + text.size();
  return whole && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

std::string rangeText(const IntegerRange &range) {
  std::string numbers =
      range.high >= kMaxTokens
          ? fmt::format("an integer of at least {}", range.low + !range.word.empty())
          : fmt::format("an integer from {} to {}", range.low + !range.word.empty(), range.high);
  return range.word.empty() ? numbers : fmt::format("{} or {}", range.word, numbers);
}

std::string rangeText(const NumberRange &range) {
  return fmt::format("a number {} {} and {} {}", range.openLow ? "above" : "of at least", range.low,
                     range.openHigh ? "below" : "at most", range.high);
}

/// The one sequence position that an expression may name, as the leaf Key
/// (patterns/PositionIndex.h).
Scope scopeOfPositions() {
  Scope scope;
  Definition t{.name = "t", .arguments = {}, .body = {}, .text = {}, .where = {}};
  t.body.kind = Syntax::Name;
  t.body.name = "k";
  scope.definitions["t"] = std::move(t);
  return scope;
}

/// The first name of an expression that is not t.
const Syntax *foreignName(const Syntax &syntax) {
  if ((syntax.kind == Syntax::Name && syntax.name != "t") ||
      (syntax.kind == Syntax::Call && syntax.name != "min" && syntax.name != "max" &&
       syntax.name != "abs"))
    return &syntax;
  for (const Syntax &operand : syntax.operands)
    if (const Syntax *found = foreignName(operand))
      return found;
  return nullptr;
}

/// Walks the keys of a config over a document. The first error ends it: what follows does nothing.
class Reader {
public:
  explicit Reader(const YamlNode &root) : node(&root) {}

  std::optional<Error> error;
  std::map<std::string, SourceRange> places; ///< of the values that were read, by dotted key
  SourceRange placeOf(const std::string &key) const {
    auto found = places.find(key);
    return found == places.end() ? SourceRange{} : found->second;
  }

  template <class Body>
  void section(const std::string &key, Presence presence, Body body) {
    const YamlNode *outer = node, *inner = value(key, presence);
    if (!inner)
      return;
    if (inner->kind != YamlNode::Map)
      return fail(expected(fmt::format("'{}', a mapping", key), *inner));
    node = inner;
    std::string before = std::exchange(prefix, key + ".");
    std::vector<std::string> outerKeys = std::exchange(keys, {});
    body();
    finish(fmt::format("'{}'", key));
    keys = std::move(outerKeys);
    prefix = before;
    node = outer;
  }

  void text(const std::string &key, std::string &into) {
    if (const YamlNode *found = value(key, Presence::Required)) {
      if (found->kind != YamlNode::Scalar || found->text.empty())
        return fail(expected(fmt::format("'{}', a text", prefix + key), *found));
      into = found->text;
    }
  }
  void integer(const std::string &key, int64_t &into, IntegerRange range,
               Presence presence = Presence::Optional) {
    const YamlNode *found = value(key, presence);
    if (!found)
      return;
    bool plain = found->kind == YamlNode::Scalar && found->style == YamlNode::Plain;
    std::optional<int64_t> number = plain ? decimal(found->text) : std::nullopt;
    if (plain && !range.word.empty() && found->text == range.word)
      into = range.low;
    else if (number && *number >= range.low + !range.word.empty() && *number <= range.high)
      into = *number;
    else
      fail(expected(fmt::format("'{}', {}", prefix + key, rangeText(range)), *found));
  }
  void number(const std::string &key, double &into, NumberRange range) {
    if (const YamlNode *found = value(key, Presence::Optional))
      readNumber(*found, key, into, range);
  }
  void flag(const std::string &key, bool &into) {
    const YamlNode *found = value(key, Presence::Optional);
    if (!found)
      return;
    bool plain = found->kind == YamlNode::Scalar && found->style == YamlNode::Plain;
    if (!plain || (found->text != "true" && found->text != "false"))
      return fail(expected(fmt::format("'{}', true or false", prefix + key), *found));
    into = found->text == "true";
  }
  void choice(const std::string &key, std::string &into, const std::vector<std::string> &choices) {
    const YamlNode *found = value(key, Presence::Optional);
    if (!found)
      return;
    if (found->kind != YamlNode::Scalar ||
        std::find(choices.begin(), choices.end(), found->text) == choices.end())
      return fail(
          expected(fmt::format("'{}', one of {}", prefix + key, fmt::join(choices, ", ")), *found));
    into = found->text;
  }
  void betas(const std::string &key, double &first, double &second) {
    const YamlNode *found = value(key, Presence::Optional);
    if (!found)
      return;
    if (found->kind != YamlNode::Sequence || found->items.size() != 2)
      return fail(expected(fmt::format("'{}', a list of two numbers", prefix + key), *found));
    readNumber(found->items[0], key, first, {0, 1, false, true});
    readNumber(found->items[1], key, second, {0, 1, false, true});
  }
  void params(const std::string &key, std::map<std::string, int64_t> &into) {
    const YamlNode *found = value(key, Presence::Optional);
    if (!found)
      return;
    if (found->kind != YamlNode::Map)
      return fail(
          expected(fmt::format("'{}', a mapping of names to integers", prefix + key), *found));
    into.clear();
    for (const auto &[name, entry] : found->entries) {
      auto read = readInteger(entry, std::numeric_limits<int64_t>::min(),
                              std::numeric_limits<int64_t>::max(),
                              fmt::format("a value for '{}'", name.text));
      if (!read)
        return fail(read.error());
      into[name.text] = *read;
    }
  }
  void positions(const std::string &key, std::vector<PositionConfig> &into);
  /// Whether a key that excludes another is of interest.
  bool wants(std::string_view, int64_t) const { return true; }

  /// That the mapping which was walked has no other keys.
  void finish(const std::string &what) {
    if (error)
      return;
    if (Result<void> known = checkKeys(*node, what, keys); !known)
      error = known.error();
  }
  void fail(Error found) {
    if (!error)
      error = std::move(found);
  }

private:
  const YamlNode *value(const std::string &key, Presence presence) {
    keys.push_back(key);
    if (error)
      return nullptr;
    const YamlNode *found = find(*node, key);
    if (found)
      places[prefix + key] = found->where;
    else if (presence == Presence::Required) {
      // A misspelt key is the likelier mistake.
      std::vector<std::string> written;
      for (const auto &entry : node->entries)
        written.push_back(entry.key.text);
      fail(inputError(fmt::format("expected the key '{}', found none{}", prefix + key,
                                  suggestion(key, written)),
                      node->where));
    }
    return found;
  }
  void readNumber(const YamlNode &found, const std::string &key, double &into, NumberRange range) {
    bool plain = found.kind == YamlNode::Scalar && found.style == YamlNode::Plain;
    std::optional<double> number = plain ? decimalNumber(found.text) : std::nullopt;
    if (!number || *number < range.low || *number > range.high ||
        (range.openLow && *number == range.low) || (range.openHigh && *number == range.high))
      return fail(expected(fmt::format("'{}', {}", prefix + key, rangeText(range)), found));
    into = *number;
  }

  const YamlNode *node;
  std::string prefix;
  std::vector<std::string> keys; ///< of the mapping that is walked
};

void Reader::positions(const std::string &key, std::vector<PositionConfig> &into) {
  const YamlNode *found = value(key, Presence::Optional);
  if (!found)
    return;
  if (found->kind != YamlNode::Map)
    return fail(expected(fmt::format("'{}', a mapping of names to expressions of t", prefix + key),
                         *found));
  Scope scope = scopeOfPositions();
  ExpansionBudget budget;
  for (const auto &[name, entry] : found->entries) {
    if (!isIdentifier(name.text))
      return fail(inputError(
          fmt::format("expected a name of letters, digits and '_', found {}", quote(name.text)),
          name.where));
    if (entry.kind != YamlNode::Scalar)
      return fail(expected("an integer expression of t", entry));
    Result<Syntax> syntax = parseSyntax(entry.expression());
    if (!syntax)
      return fail(syntax.error());
    if (const Syntax *foreign = foreignName(*syntax))
      return fail(
          inputError(fmt::format("expected an expression of t alone, found '{}'", foreign->name),
                     foreign->where));
    Result<Expr> index = resolve(*syntax, scope, budget);
    if (!index)
      return fail(index.error());
    if (isPredicate((*index)->op))
      return fail(expected("an integer expression of t", entry));
    into.push_back({.name = name.text, .text = entry.text, .index = *index});
    places[prefix + key + "." + name.text] = entry.where;
  }
}

/// How many rows each table of positions has, at the model's length.
Result<void> countRows(ModelConfig &model, const Reader &reader) {
  for (PositionConfig &table : model.positions) {
    SourceRange where = reader.placeOf("model.positions." + table.name);
    for (int64_t t = 0; t < model.length; ++t) {
      int64_t row = evaluateInteger(table.index, {.k = t}, {});
      if (row < 0 || row >= kMaxPositions)
        return inputError(fmt::format("expected rows from 0 to {}, found {} at t = {}",
                                      kMaxPositions - 1, row, t),
                          where);
      table.rows = std::max(table.rows, row + 1);
    }
  }
  return {};
}

/// A width of all heads together that kernels take.
Result<void> checkHeadDim(double width, int64_t heads, std::string_view what,
                          const SourceRange &where) {
  double dim = width / static_cast<double>(heads);
  if (dim != std::floor(dim) || dim < 16 || dim > 256 || static_cast<int64_t>(dim) % 16 != 0)
    return inputError(fmt::format("expected {} of a head that is a multiple of 16 from 16 to 256, "
                                  "found {} / {} = {}",
                                  what, width, heads, dim),
                      where);
  return {};
}

/// What several keys have to say together.
Result<void> checkTogether(const Config &config, const Reader &reader) {
  const ModelConfig &model = config.model;
  auto width = static_cast<double>(model.width);
  SourceRange heads = reader.placeOf("model.heads");
  if (Result<void> ok = checkHeadDim(width, model.heads, "a width", heads); !ok)
    return ok;
  if (Result<void> ok =
          checkHeadDim(model.qkRatio * width, model.heads, "a width of queries", heads);
      !ok)
    return ok;
  double inner = model.ffRatio * width;
  if (inner != std::floor(inner) || static_cast<int64_t>(inner) % 16 != 0)
    return inputError(
        fmt::format("expected ff_ratio x width that is a multiple of 16, found {}", inner),
        reader.placeOf("model.ff_ratio"));
  if ((config.train.steps > 0) == (config.train.epochs > 0)) {
    bool both = config.train.steps > 0;
    return inputError(fmt::format("expected either 'train.steps' or 'train.epochs', found {}",
                                  both ? "both" : "neither"),
                      reader.placeOf(both ? "train.steps" : "train"));
  }
  if (config.train.microBatch && config.train.batchSize % config.train.microBatch)
    return inputError(fmt::format("expected a 'train.micro_batch' that divides the batch of {}, "
                                  "found {}",
                                  config.train.batchSize, config.train.microBatch),
                      reader.placeOf("train.micro_batch"));
  if (config.valid.minContext >= model.length)
    return inputError(fmt::format("expected a 'valid.min_context' below the length of {}, found {}",
                                  model.length, config.valid.minContext),
                      reader.placeOf("valid.min_context"));
  return {};
}

/// Puts the value of an override in place of the document's, or beside what is there.
Result<void> apply(YamlNode &root, const ConfigOverride &override) {
  auto source = std::make_shared<SourceText>(SourceText{"--set " + override.key, override.value});
  Result<YamlNode> value = readDocument(source);
  if (!value)
    return value.error();
  YamlNode *node = &root;
  for (size_t begin = 0; begin <= override.key.size();) {
    size_t end = std::min(override.key.find('.', begin), override.key.size());
    std::string key = override.key.substr(begin, end - begin);
    begin = end + 1;
    if (node->kind != YamlNode::Map)
      return inputError(
          fmt::format("--set: there is nothing called {} in the config", quote(override.key)));
    auto found = std::find_if(node->entries.begin(), node->entries.end(),
                              [&](const YamlNode::Entry &entry) { return entry.key.text == key; });
    if (found == node->entries.end()) {
      YamlNode name = *value;
      name.kind = YamlNode::Scalar;
      name.text = key;
      YamlNode empty = *value;
      empty.kind = YamlNode::Map;
      empty.entries.clear();
      node->entries.push_back({std::move(name), std::move(empty)});
      found = std::prev(node->entries.end());
    }
    node = &found->value;
  }
  *node = std::move(*value);
  return {};
}

} // namespace

Result<ConfigOverride> readOverride(const std::string &assignment) {
  auto source = std::make_shared<SourceText>(SourceText{"--set", assignment});
  size_t sign = assignment.find('=');
  if (sign == std::string::npos || sign == 0 || sign + 1 == assignment.size())
    return inputError(
        fmt::format("expected KEY=VALUE, as train.steps=30, found {}", quote(assignment)),
        SourceLines(source).at(0, static_cast<int>(assignment.size())));
  return ConfigOverride{assignment.substr(0, sign), assignment.substr(sign + 1)};
}

Result<Config> parseConfig(std::shared_ptr<const SourceText> text,
                           const std::vector<ConfigOverride> &overrides) {
  Result<YamlNode> document = readDocument(std::move(text), "a config");
  if (!document)
    return document.error();
  for (const ConfigOverride &override : overrides)
    if (Result<void> applied = apply(*document, override); !applied)
      return applied.error();
  if (document->kind != YamlNode::Map)
    return expected("a config, a mapping of name, data, model, attention, train, every, valid",
                    *document);
  Config config;
  Reader reader(*document);
  visitConfig(reader, config);
  reader.finish("a config");
  if (reader.error)
    return *reader.error;
  if (Result<void> counted = countRows(config.model, reader); !counted)
    return counted.error();
  if (Result<void> checked = checkTogether(config, reader); !checked)
    return checked.error();
  return config;
}

} // namespace sparsec
