// The only file that knows yaml-cpp: its events become a Document, its exceptions become Errors.
#include "patterns/Document.h"
#include "patterns/Pattern.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>
#include <sstream>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

namespace sparsec {

namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

/// Bytes of the UTF-8 character at the start of `text`; 0 when there is no valid one.
size_t characterLength(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char lead = byte(0);
  size_t length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (lead >= 0xf5 || length > text.size())
    return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80)
      return 0;
  bool overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
  bool beyond = (lead == 0xed && byte(1) >= 0xa0) || (lead == 0xf4 && byte(1) >= 0x90);
  return overlong || beyond ? 0 : length;
}

/// Before any of it is read.
Result<void> checkSize(const std::shared_ptr<const SourceText> &source, std::string_view what) {
  if (source->text.size() <= kMaxPatternBytes)
    return {};
  return inputError(fmt::format("expected {} file of at most {} bytes, found {}", what,
                                kMaxPatternBytes, source->text.size()),
                    SourceRange{.source = source, .line = 1, .column = 1});
}

/// Characters, before any parser sees the text.
Result<void> checkText(const SourceText &source, const SourceLines &lines) {
  std::string_view text = source.text;
  for (size_t i = 0; i < text.size();) {
    size_t length = characterLength(text.substr(i));
    unsigned char c = static_cast<unsigned char>(text[i]);
    if (length == 0)
      return inputError(fmt::format("expected UTF-8 text, found byte 0x{:02x}", c), lines.at(i, 1));
    if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
      return inputError(fmt::format("expected text, found control character 0x{:02x}", c),
                        lines.at(i, 1));
    i += length;
  }
  return {};
}

constexpr const char *kAliasRefusal = "expected a value, found an alias: write the value itself";

/// Carries an Error out of yaml-cpp's parser; caught in readDocument().
struct Refusal {
  Error error;
};

/// What yaml-cpp says, and how it is said here: what was expected.
constexpr std::pair<std::string_view, std::string_view> kParserMessages[] = {
    {"end of map flow not found", "',' or '}' in a mapping between braces"},
    {"end of sequence flow not found", "',' or ']' in a list between brackets"},
    {"end of map not found", "a key, in the column of the ones before it"},
    {"end of sequence not found", "an item, its '-' in the column of the ones before it"},
    {"illegal map value", "no second ': ' in one value: quote it"},
    {"illegal block entry", "list items on lines of their own"},
    {"illegal map key", "a key"},
    {"unknown token", "a value that begins with a letter, a digit or a quote"},
};

Error parserError(const std::string &message, size_t offset, std::string_view text,
                  const SourceLines &lines) {
  std::string found = offset >= text.size()  ? "the end of the file"
                      : text[offset] == '\n' ? "the end of the line"
                      : text[offset] == '\r' ? "the end of the line"
                                             : quote(text.substr(offset, 1));
  size_t line = text.rfind('\n', offset == 0 ? 0 : offset - 1);
  size_t first = line == std::string_view::npos ? 0 : line + 1;
  size_t content = std::min(text.find_first_not_of(" \t", first), text.size());
  size_t tab = std::min(text.find('\t', first), text.size());
  if (tab < content)
    return inputError("expected spaces as indentation, found a tab", lines.at(tab, 1));
  if (offset < text.size() && text[offset] == '*')
    return inputError(kAliasRefusal, lines.at(offset, 1));
  for (auto [theirs, ours] : kParserMessages)
    if (message == theirs)
      return inputError(fmt::format("expected {}, found {}", ours, found), lines.at(offset, 1));
  return inputError(fmt::format("expected YAML, found {}: {}", found, message),
                    lines.at(offset, 1));
}

class TreeBuilder : public YAML::EventHandler {
public:
  TreeBuilder(std::shared_ptr<const SourceText> source, std::shared_ptr<const SourceLines> lines)
      : source(std::move(source)), lines(std::move(lines)) {}

  YamlNode root;

  size_t offsetOf(const YAML::Mark &mark) const {
    if (mark.is_null())
      return 0;
    size_t skipped = mark.line == 0 && source->text.starts_with(kByteOrderMark) ? 3 : 0;
    return lines->offsetOf(mark.line + 1, mark.column + 1 + static_cast<int>(skipped));
  }

  void OnDocumentStart(const YAML::Mark &mark) override {
    if (++documents > 1)
      refuse("expected one document, found a second one", offsetOf(mark), 1);
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark &mark, YAML::anchor_t anchor) override {
    YamlNode null = node(YamlNode::Null, mark, "?", anchor);
    std::string_view rest = std::string_view(source->text).substr(null.offset);
    for (std::string_view written : {"~", "null", "Null", "NULL"})
      if (rest.starts_with(written))
        null.text = written;
    null.where.length = std::max<int>(1, static_cast<int>(null.text.size()));
    add(std::move(null));
  }
  void OnAlias(const YAML::Mark &mark, YAML::anchor_t) override {
    refuse(kAliasRefusal, offsetOf(mark), 1);
  }
  void OnScalar(const YAML::Mark &mark, const std::string &tag, YAML::anchor_t anchor,
                const std::string &value) override {
    YamlNode scalar = node(YamlNode::Scalar, mark, tag, anchor);
    scalar.text = value;
    std::string_view rest = std::string_view(source->text).substr(scalar.offset);
    char first = rest.empty() ? ' ' : rest[0];
    if (tag == "!")
      scalar.style = first == '|' || first == '>' ? YamlNode::Block : YamlNode::Quoted;
    if (scalar.style == YamlNode::Quoted && !isClosed(rest))
      refuse(fmt::format("expected a closing {}, found the end of the file", first), scalar.offset,
             1);
    size_t quotes = scalar.style == YamlNode::Quoted ? 1 : 0;
    if (scalar.style != YamlNode::Block && rest.substr(quotes).starts_with(value))
      scalar.where.length = std::max<int>(1, static_cast<int>(value.size() + 2 * quotes));
    add(std::move(scalar));
  }

  void OnSequenceStart(const YAML::Mark &mark, const std::string &tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    open(node(YamlNode::Sequence, mark, tag, anchor), style);
  }
  void OnMapStart(const YAML::Mark &mark, const std::string &tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    open(node(YamlNode::Map, mark, tag, anchor), style);
  }
  void OnSequenceEnd() override {
    YamlNode sequence = close();
    checkCut(sequence.items, sequence.flow);
    add(std::move(sequence));
  }
  void OnMapEnd() override {
    YamlNode map = close();
    checkCut(map.items, map.flow);
    std::set<std::string> keys;
    for (size_t i = 0; i + 1 < map.items.size(); i += 2) {
      YamlNode &key = map.items[i];
      if (key.kind != YamlNode::Scalar)
        refuse(fmt::format("expected a name as the key, found {}", describe(key)), key.offset, 1);
      if (!keys.insert(key.text).second)
        refuse(fmt::format("expected each key once, found {} again", quote(key.text)), key.offset,
               key.where.length);
      YamlNode &value = map.items[i + 1];
      if (value.kind == YamlNode::Null && value.text.empty())
        value.where = key.where; // a value that is not there has no place of its own
      map.entries.push_back({std::move(key), std::move(value)});
    }
    map.items.clear();
    add(std::move(map));
  }

private:
  [[noreturn]] void refuse(std::string message, size_t offset, int length,
                           std::vector<std::string> notes = {}) const {
    Error error = inputError(std::move(message), lines->at(offset, length));
    error.notes = std::move(notes);
    throw Refusal{std::move(error)};
  }

  YamlNode node(YamlNode::Kind kind, const YAML::Mark &mark, const std::string &tag,
                YAML::anchor_t anchor) const {
    YamlNode made;
    made.kind = kind;
    made.offset = offsetOf(mark);
    made.where = lines->at(made.offset, 1);
    made.lines = lines;
    char first = made.offset < source->text.size() ? source->text[made.offset] : ' ';
    if ((tag != "?" && tag != "!") || first == '!')
      refuse("expected a value, found a tag: types are known from the keys", made.offset, 1);
    if (anchor != 0 || first == '&')
      refuse("expected a value, found an anchor: write the value where it is used", made.offset, 1);
    return made;
  }

  /// Whether a quoted text has its closing quote; yaml-cpp takes the end of the file for one.
  static bool isClosed(std::string_view text) {
    char quote = text[0];
    for (size_t i = 1; i < text.size(); ++i) {
      if (text[i] == '\\' && quote == '"')
        ++i;
      else if (text[i] == quote && quote == '\'' && text.substr(i + 1).starts_with('\''))
        ++i;
      else if (text[i] == quote)
        return true;
    }
    return false;
  }

  void open(YamlNode collection, YAML::EmitterStyle::value style) {
    if (path.size() >= kMaxYamlNesting)
      refuse(
          fmt::format("expected collections nested at most {} deep, found more", kMaxYamlNesting),
          collection.offset, 1);
    collection.flow = style == YAML::EmitterStyle::Flow;
    path.push_back(std::move(collection));
  }
  YamlNode close() {
    YamlNode done = std::move(path.back());
    path.pop_back();
    return done;
  }
  /// Into the collection being built; a map's keys and values alternate in `items` until it ends.
  void add(YamlNode node) {
    if (path.empty())
      root = std::move(node);
    else
      path.back().items.push_back(std::move(node));
  }

  /// `{attend: causal and tail(l, c)}` is two entries to YAML. Says so where they are put together.
  void checkCut(const std::vector<YamlNode> &nodes, bool flow) const {
    constexpr size_t kPieces = 16; // looking further would take long and explain little
    if (!flow)
      return;
    for (size_t i = 0; i < nodes.size(); ++i) {
      const YamlNode &first = nodes[i];
      if (first.kind != YamlNode::Scalar || first.style != YamlNode::Plain)
        continue;
      int open = parentheses(first.text);
      std::string whole = first.text;
      for (size_t j = i + 1;
           open > 0 && j < std::min(nodes.size(), i + kPieces) && nodes[j].style == YamlNode::Plain;
           ++j) {
        if (nodes[j].kind == YamlNode::Null)
          continue;
        if (nodes[j].kind != YamlNode::Scalar)
          break;
        open += parentheses(nodes[j].text);
        whole += ", " + nodes[j].text;
        if (open != 0)
          continue;
        std::string shown = whole.substr(0, 200);
        if (shown.size() < whole.size())
          shown += "...";
        refuse(fmt::format("expected {} to end with its parentheses closed, found ','",
                           quote(first.text)),
               first.offset, first.where.length,
               {fmt::format("a comma ends a value between braces or brackets: quote it, \"{}\"",
                            shown)});
      }
    }
  }
  static int parentheses(const std::string &text) {
    return static_cast<int>(std::count(text.begin(), text.end(), '(') -
                            std::count(text.begin(), text.end(), ')'));
  }

  std::shared_ptr<const SourceText> source;
  std::shared_ptr<const SourceLines> lines;
  std::vector<YamlNode> path; ///< the collections around the next event
  int documents = 0;
};

} // namespace

Result<YamlNode> readDocument(std::shared_ptr<const SourceText> source, std::string_view what) {
  if (Result<void> checked = checkSize(source, what); !checked)
    return checked.error();
  auto lines = std::make_shared<const SourceLines>(source);
  if (Result<void> checked = checkText(*source, *lines); !checked)
    return checked.error();
  TreeBuilder builder(source, lines);
  try {
    std::istringstream stream(source->text);
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder))
      return inputError(fmt::format("expected {}, found an empty file", what), lines->at(0, 1));
    parser.HandleNextDocument(builder);
  } catch (const Refusal &refusal) {
    return refusal.error;
  } catch (const YAML::Exception &exception) {
    return parserError(exception.msg, builder.offsetOf(exception.mark), source->text, *lines);
  }
  return std::move(builder.root);
}

ExpressionText YamlNode::expression() const {
  // A value's bytes appear in the file in order, with quotes, indentation or line ends between
  // them, so each is found by looking a little further on.
  auto offsets = std::make_shared<std::vector<size_t>>();
  std::string_view file = lines->text();
  size_t at = offset;
  if (style == Quoted)
    ++at;
  else if (style == Block)
    at = std::min(file.find('\n', at), file.size());
  for (char c : text) {
    size_t limit = std::min(file.size(), at + 256), found = at;
    while (found < limit && file[found] != c)
      ++found;
    bool space = c == ' ' || c == '\n'; // a folded line end reads as a space
    if (found == limit || (space && (at >= file.size() || file[at] != c)))
      found = std::min(at, file.size());
    else
      at = found + 1;
    offsets->push_back(found);
  }
  offsets->push_back(std::min(at, file.size()));
  ExpressionText expression;
  expression.text = text;
  expression.place = [offsets, where = lines](size_t offset, int length) {
    return where->at((*offsets)[offset], length);
  };
  return expression;
}

std::string describe(const YamlNode &node) {
  switch (node.kind) {
  case YamlNode::Null:
    return node.text.empty() ? "nothing" : quote(node.text);
  case YamlNode::Scalar:
    return node.style == YamlNode::Plain ? quote(node.text) : "the quoted text " + quote(node.text);
  case YamlNode::Sequence:
    return node.items.empty() ? "an empty list" : fmt::format("a list of {}", node.items.size());
  case YamlNode::Map:
    return node.entries.empty() ? "an empty mapping" : "a mapping";
  }
  return "nothing";
}

} // namespace sparsec
