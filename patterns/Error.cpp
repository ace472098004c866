#include "patterns/Error.h"

#include <algorithm>
#include <fmt/format.h>

namespace sparsec {

SourceLines::SourceLines(std::shared_ptr<const SourceText> text)
    : source(std::move(text)), starts(1, 0) {
  for (size_t i = 0; i < source->text.size(); ++i)
    if (source->text[i] == '\n')
      starts.push_back(i + 1);
}

SourceRange SourceLines::at(size_t offset, int length) const {
  auto next = std::upper_bound(starts.begin(), starts.end(), offset);
  SourceRange range;
  range.source = source;
  range.line = static_cast<int>(next - starts.begin());
  range.column = 1 + static_cast<int>(offset - *std::prev(next));
  range.length = std::max(1, length);
  return range;
}

size_t SourceLines::offsetOf(int line, int column) const {
  if (line < 1 || line > static_cast<int>(starts.size()))
    return line < 1 ? 0 : source->text.size();
  return std::min(starts[line - 1] + static_cast<size_t>(std::max(1, column) - 1),
                  source->text.size());
}

namespace {

bool isControl(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
}
/// The second and later bytes of a UTF-8 character, which take no room of their own.
bool isContinuation(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

/// The line a range points into, without its end.
std::string_view lineOf(std::string_view text, int line) {
  size_t begin = 0;
  for (int i = 1; i < line; ++i) {
    size_t end = text.find('\n', begin);
    if (end == std::string_view::npos)
      return {};
    begin = end + 1;
  }
  std::string_view rest = text.substr(begin);
  rest = rest.substr(0, rest.find('\n'));
  if (!rest.empty() && rest.back() == '\r')
    rest.remove_suffix(1);
  return rest;
}

std::string printable(std::string_view text) {
  std::string out(text);
  std::replace_if(out.begin(), out.end(), isControl, '?');
  return out;
}

/// The line and the marks below it.
std::string excerpt(const SourceRange &where) {
  constexpr size_t kWidth = 120, kBefore = 60;
  std::string_view line = lineOf(where.source->text, where.line);
  size_t caret = std::min(static_cast<size_t>(std::max(0, where.column - 1)), line.size());
  size_t begin = 0;
  if (line.size() > kWidth && caret > kBefore) {
    begin = std::min(caret - kBefore, line.size() - kBefore);
    while (begin < caret && isContinuation(line[begin]))
      ++begin;
  }
  size_t end = std::min(line.size(), begin + kWidth);
  while (end < line.size() && isContinuation(line[end]))
    ++end;
  std::string indent = begin > 0 ? "   " : "";
  for (char c : line.substr(begin, caret - begin)) // tabs stay tabs, so that the caret is under
    if (!isContinuation(c))
      indent += c == '\t' ? '\t' : ' ';
  size_t marks = 0;
  for (char c : line.substr(caret, std::min<size_t>(std::max(1, where.length), end - caret)))
    marks += !isContinuation(c);
  return fmt::format("  {}{}{}\n  {}^{}\n", begin > 0 ? "..." : "",
                     printable(line.substr(begin, end - begin)), end < line.size() ? "..." : "",
                     indent, std::string(marks > 1 ? marks - 1 : 0, '~'));
}

} // namespace

std::string quote(std::string_view text) {
  constexpr size_t kLongest = 60;
  if (text.size() <= kLongest)
    return fmt::format("'{}'", printable(text));
  size_t end = kLongest;
  while (end > 0 && isContinuation(text[end]))
    --end;
  return fmt::format("'{}...'", printable(text.substr(0, end)));
}

std::string Error::render() const {
  return renderAs("error");
}

std::string Error::renderWarning() const {
  return renderAs("warning");
}

std::string Error::renderAs(std::string_view what) const {
  std::string out = where && where->source
                        ? fmt::format("{}:{}:{}: {}: {}\n{}", where->source->name, where->line,
                                      where->column, what, message, excerpt(*where))
                        : fmt::format("{}: {}\n", what, message);
  for (const std::string &note : notes)
    out += fmt::format("note: {}\n", note);
  return out;
}

} // namespace sparsec
