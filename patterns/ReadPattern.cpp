// From a document to a Pattern: each key in turn, in the order in which they depend on each other.
#include "patterns/ReadPattern.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <set>

namespace sparsec {

namespace {

/// Names of patterns and heads: they become names of files and of kernels.
bool isFileName(const std::string &text) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  auto other = [](char c) { return (c >= '0' && c <= '9') || c == '-' || c == '_'; };
  return !text.empty() && text.size() <= 64 && letter(text[0]) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || other(c); });
}

class PatternReader {
public:
  PatternReader(YamlNode root, const PatternOverrides &overrides, const FileReader &files)
      : root(std::move(root)), overrides(overrides), files(files) {}

  Result<Pattern> run() {
    Result<void> (PatternReader::*steps[])() = {
        &PatternReader::readTopLevel,     &PatternReader::readParams,
        &PatternReader::applyOverrides,   &PatternReader::readRequire,
        &PatternReader::readWhere,        &PatternReader::refuseScore,
        &PatternReader::readFileSchedule, &PatternReader::readHeads,
        &PatternReader::readLayers};
    for (auto step : steps)
      if (Result<void> done = (this->*step)(); !done)
        return done.error();
    return std::move(pattern);
  }

private:
  Result<void> readTopLevel() {
    if (Result<void> keys = checkKeys(root, "a pattern",
                                      {"name", "doc", "params", "require", "where", "heads",
                                       "layers", "schedule", "score", "inputs"});
        !keys)
      return keys;
    for (std::string_view key : {"name", "heads"})
      if (!find(root, key))
        return inputError(fmt::format("expected the key '{}', found a pattern without it", key),
                          root.where);
    Result<std::string> name = readName(*find(root, "name"));
    if (!name)
      return name.error();
    pattern.name = *name;
    const YamlNode *doc = find(root, "doc");
    if (doc && doc->kind != YamlNode::Scalar)
      return expected("text", *doc);
    if (doc)
      pattern.doc = doc->text;
    return {};
  }

  Result<std::string> readName(const YamlNode &node) const {
    if (node.kind != YamlNode::Scalar || !isFileName(node.text))
      return expected("a name of at most 64 letters, digits, '-' and '_', a letter first", node);
    if (isReservedWord(node.text))
      return inputError(
          fmt::format("expected a name, found '{}', which is a word of YAML or of the "
                      "language",
                      node.text),
          node.where);
    return node.text;
  }

  /// A name that expressions may use, and that nothing has yet.
  Result<void> checkNewName(const std::string &name, const SourceRange &where) const {
    if (!isIdentifier(name))
      return inputError(
          fmt::format("expected a name of letters, digits and '_', found {}", quote(name)), where);
    std::string taken = scope.takenBy(name);
    if (!taken.empty())
      return inputError(fmt::format("expected a new name, found '{}', which is {}", name, taken),
                        where);
    return {};
  }

  void warnOfOwn(const std::string &name, const SourceRange &where) {
    if (scope.yields(name))
      pattern.warnings.push_back(inputError(
          fmt::format("'{}' is a word of the language too: here it is what this file says", name),
          where));
  }

  Result<void> readParams() {
    const YamlNode *params = find(root, "params");
    if (!params)
      return {};
    if (params->kind != YamlNode::Map)
      return expected("parameters, a mapping of names to integers or lists", *params);
    for (const auto &[name, value] : params->entries) {
      if (Result<void> checked = checkNewName(name.text, name.where); !checked)
        return checked;
      warnOfOwn(name.text, name.where);
      if (value.kind == YamlNode::Sequence || value.kind == YamlNode::Map) {
        Result<ListRef> list = readListParam(name.text, value, files);
        if (!list)
          return list.error();
        scope.lists[name.text] = *list;
        continue;
      }
      Result<int64_t> number = readInteger(value, std::numeric_limits<int64_t>::min(),
                                           std::numeric_limits<int64_t>::max(),
                                           fmt::format("a value for '{}'", name.text));
      if (!number)
        return number.error();
      scope.params[name.text] = *number;
    }
    return {};
  }

  Result<void> applyOverrides() {
    std::vector<std::string> names;
    for (const auto &[name, value] : scope.params)
      names.push_back(name);
    for (const auto &[name, value] : overrides.params) {
      auto param = scope.params.find(name);
      if (param == scope.params.end()) {
        auto where = overrides.where.find(name);
        if (scope.lists.count(name)) {
          Error error = inputError(fmt::format("'{}' is a list: it is set in the file", name));
          if (where != overrides.where.end())
            error.where = where->second;
          return error;
        }
        Error error = inputError(fmt::format("pattern '{}' has no parameter {}{}", pattern.name,
                                             quote(name), suggestion(name, names)));
        if (where != overrides.where.end())
          error.where = where->second;
        error.notes.push_back(names.empty()
                                  ? std::string("it has no parameters")
                                  : fmt::format("its parameters are {}", fmt::join(names, ", ")));
        return error;
      }
      param->second = value;
    }
    pattern.params = scope.params;
    pattern.lists = scope.lists;
    return {};
  }

  Result<void> readRequire() {
    const YamlNode *require = find(root, "require");
    if (!require)
      return {};
    if (require->kind != YamlNode::Sequence)
      return expected("a list of predicates on the parameters", *require);
    for (const YamlNode &item : require->items)
      if (Result<void> met = readRequirement(item); !met)
        return met;
    return {};
  }

  Result<void> readRequirement(const YamlNode &item) {
    Result<Expr> predicate = readPredicate(item);
    if (!predicate)
      return predicate.error();
    if (std::optional<Error> error = dependsOnPosition(*predicate, "a requirement"))
      return *error;
    if (evaluate(*predicate, {}, {}))
      return {};
    std::set<std::string> used;
    collectNames(*parseSyntax(item.expression()), used);
    std::vector<std::string> values, notes;
    for (const std::string &name : used) {
      values.push_back(fmt::format("{} = {}", name, scope.params[name]));
      if (overrides.params.count(name))
        notes.push_back(fmt::format("{} is set by --param", name));
    }
    std::string with = values.empty() ? "" : fmt::format(" with {}", fmt::join(values, ", "));
    Error error = inputError(fmt::format("expected {}, found it false{}", quote(item.text), with),
                             item.where);
    error.notes = std::move(notes);
    return error;
  }

  /// The parameters an expression names.
  void collectNames(const Syntax &syntax, std::set<std::string> &names) const {
    if (syntax.kind == Syntax::Name && scope.params.count(syntax.name))
      names.insert(syntax.name);
    for (const Syntax &operand : syntax.operands)
      collectNames(operand, names);
  }

  Result<Expr> readPredicate(const YamlNode &node) {
    if (node.kind != YamlNode::Scalar)
      return expected("a predicate", node);
    Result<Syntax> syntax = parseSyntax(node.expression());
    if (!syntax)
      return syntax.error();
    return resolvePredicate(*syntax, scope, budget);
  }

  Result<void> readWhere() {
    const YamlNode *where = find(root, "where");
    if (!where)
      return {};
    if (where->kind != YamlNode::Map)
      return expected("definitions, a mapping of names to expressions", *where);
    std::vector<std::string> names;
    for (const auto &[key, value] : where->entries) {
      Result<Definition> definition = readDefinition(key, value);
      if (!definition)
        return definition.error();
      names.push_back(definition->name);
      scope.definitions[definition->name] = *std::move(definition);
    }
    // Only now are all names known that an argument must not hide.
    for (const std::string &name : names)
      if (Result<void> checked = checkArguments(scope.definitions[name]); !checked)
        return checked;
    if (Result<void> checked = checkDefinitions(scope); !checked)
      return checked;
    for (const std::string &name : names)
      if (const Definition &definition = scope.definitions[name]; definition.arguments.empty())
        if (Result<Expr> body = resolve(definition.body, scope, budget); !body)
          return body.error();
    return {};
  }

  /// `near(a, b): abs(a - b) <= r`.
  Result<Definition> readDefinition(const YamlNode &key, const YamlNode &value) {
    Result<std::vector<Token>> tokens = lex(key.expression());
    if (!tokens)
      return tokens.error();
    constexpr std::string_view kForms = "a name, or a name and its arguments: near(a, b)";
    auto wrong = [&](const Token &token) {
      return inputError(fmt::format("expected {}, found {}", kForms, describe(token)), token.where);
    };
    auto isSymbol = [](const Token &token, std::string_view text) {
      return token.kind == TokenKind::Symbol && token.text == text;
    };
    auto token = tokens->begin();
    if (token->kind != TokenKind::Name)
      return wrong(*token);
    Definition definition;
    definition.name = token->text;
    definition.where = token->where;
    if (Result<void> checked = checkNewName(token->text, token->where); !checked)
      return checked.error();
    warnOfOwn(token->text, token->where);
    if (isSymbol(*++token, "(")) {
      do {
        if ((++token)->kind != TokenKind::Name)
          return wrong(*token);
        definition.arguments.push_back(token->text);
        definition.argumentPlaces.push_back(token->where);
      } while (isSymbol(*++token, ","));
      if (!isSymbol(*token, ")"))
        return wrong(*token);
      ++token;
    }
    if (token->kind != TokenKind::End)
      return wrong(*token);
    if (value.kind != YamlNode::Scalar)
      return expected(fmt::format("an expression for '{}'", definition.name), value);
    Result<Syntax> body = parseSyntax(value.expression());
    if (!body)
      return body.error();
    definition.body = *std::move(body);
    return definition;
  }

  Result<void> checkArguments(const Definition &definition) const {
    std::set<std::string> seen;
    for (size_t i = 0; i < definition.arguments.size(); ++i) {
      const std::string &name = definition.arguments[i];
      const SourceRange &where = definition.argumentPlaces[i];
      if (Result<void> checked = checkNewName(name, where); !checked)
        return checked;
      if (!seen.insert(name).second)
        return inputError(fmt::format("expected each argument once, found '{}' again", name),
                          where);
    }
    return {};
  }

  Result<void> refuseScore() {
    for (const auto &[key, value] : root.entries)
      if (key.text == "score" || key.text == "inputs")
        return scoreError(key);
    return {};
  }
  static Error scoreError(const YamlNode &key) {
    return inputError(
        fmt::format("'{}' is not built yet: {}", key.text,
                    key.text == "inputs"
                        ? "what is known beforehand is a parameter, and may be a list: "
                          "params: {ends: [5, 9, 40]} or {ends: {file: ends.txt}}"
                        : "scores are the scaled products alone"),
        key.where);
  }

  Result<void> readFileSchedule() {
    if (const YamlNode *schedule = find(root, "schedule"))
      return readSchedule(*schedule, {scope, budget, files}, defaults);
    return {};
  }

  Result<void> readHeads() {
    const YamlNode &heads = *find(root, "heads");
    if (heads.kind != YamlNode::Sequence || heads.items.empty())
      return expected("a list of heads, each {attend: ...}", heads);
    if (heads.items.size() > kMaxEntries)
      return inputError(
          fmt::format("expected at most {} heads, found {}", kMaxEntries, heads.items.size()),
          heads.where);
    for (const YamlNode &item : heads.items)
      if (Result<void> read = readHead(item); !read)
        return read;
    return nameHeads(heads);
  }

  Result<void> readHead(const YamlNode &item) {
    if (Result<void> keys = checkKeys(item, "a head", {"name", "attend", "schedule", "score"});
        !keys)
      return keys;
    HeadEntry entry = defaults;
    if (const YamlNode *name = find(item, "name")) {
      Result<std::string> read = readName(*name);
      if (!read)
        return read.error();
      entry.name = *read;
    }
    for (const auto &[key, value] : item.entries)
      if (key.text == "score")
        return scoreError(key);
    const YamlNode *attend = find(item, "attend");
    if (!attend)
      return inputError("expected the key 'attend', found a head without it", item.where);
    Result<Expr> predicate = readPredicate(*attend);
    if (!predicate)
      return predicate.error();
    if (Result<void> checked = checkNotEmpty(*predicate, attend->where); !checked)
      return checked;
    entry.attend = *predicate;
    entry.where = attend->where;
    if (const YamlNode *schedule = find(item, "schedule"))
      if (Result<void> read = readSchedule(*schedule, {scope, budget, files}, entry); !read)
        return read;
    pattern.heads.push_back(std::move(entry));
    return {};
  }

  /// Gives "head<i>" to those without a name, and refuses names given twice.
  Result<void> nameHeads(const YamlNode &heads) {
    for (size_t i = 0; i < pattern.heads.size(); ++i) {
      HeadEntry &entry = pattern.heads[i];
      const YamlNode *written = find(heads.items[i], "name");
      if (!written)
        entry.name = fmt::format("head{}", i);
      if (!headByName.emplace(entry.name, static_cast<int>(i)).second)
        return inputError(
            fmt::format("expected each head's name once, found '{}' again", entry.name),
            written ? written->where : heads.items[i].where);
    }
    return {};
  }

  Result<void> readLayers() {
    const YamlNode *layers = find(root, "layers");
    if (!layers)
      return {};
    if (layers->kind != YamlNode::Sequence || layers->items.empty())
      return expected("a list of layers, each a head's name or a list of them", *layers);
    if (layers->items.size() > kMaxEntries)
      return inputError(
          fmt::format("expected at most {} layers, found {}", kMaxEntries, layers->items.size()),
          layers->where);
    for (const YamlNode &layer : layers->items) {
      bool nested = layer.kind == YamlNode::Sequence;
      if (nested && (layer.items.empty() || layer.items.size() > kMaxEntries))
        return inputError(fmt::format("expected from 1 to {} heads in a layer, found {}",
                                      kMaxEntries, layer.items.size()),
                          layer.where);
      std::vector<int> heads;
      for (const YamlNode &name : nested ? layer.items : std::vector<YamlNode>{layer}) {
        Result<int> head = headNamed(name);
        if (!head)
          return head.error();
        heads.push_back(*head);
      }
      pattern.layers.push_back(std::move(heads));
    }
    return {};
  }

  Result<int> headNamed(const YamlNode &node) const {
    if (node.kind != YamlNode::Scalar)
      return expected("a head's name", node);
    if (auto found = headByName.find(node.text); found != headByName.end())
      return found->second;
    std::vector<std::string> names;
    for (const HeadEntry &head : pattern.heads)
      names.push_back(head.name);
    return inputError(
        fmt::format("no head is called {}{}", quote(node.text), suggestion(node.text, names)),
        node.where);
  }

private:
  YamlNode root;
  const PatternOverrides &overrides;
  const FileReader &files;
  Scope scope;
  ExpansionBudget budget;
  std::map<std::string, int> headByName;
  HeadEntry defaults; ///< what the file's own schedule gives every head
  Pattern pattern;
};

} // namespace

Result<Pattern> parsePattern(std::shared_ptr<const SourceText> text,
                             const PatternOverrides &overrides, const FileReader &files) {
  Result<YamlNode> document = readDocument(std::move(text));
  if (!document)
    return document.error();
  return PatternReader(*std::move(document), overrides, files).run();
}

} // namespace sparsec
