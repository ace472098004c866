#include "patterns/Error.h"

#include <fmt/format.h>

namespace sparsec {

namespace {

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

} // namespace

std::string Error::render() const {
  std::string out;
  if (where && where->source) {
    out = fmt::format("{}:{}:{}: error: {}\n", where->source->name, where->line, where->column,
                      message);
    std::string_view line = lineOf(where->source->text, where->line);
    // Tabs stay tabs below, so that the caret stands under what it points at.
    std::string indent;
    for (int i = 0; i < where->column - 1; ++i)
      indent += i < static_cast<int>(line.size()) && line[i] == '\t' ? '\t' : ' ';
    int marks = std::max(1, where->length);
    out += fmt::format("  {}\n  {}^{}\n", line, indent, std::string(marks - 1, '~'));
  } else {
    out = fmt::format("error: {}\n", message);
  }
  for (const std::string &note : notes)
    out += fmt::format("note: {}\n", note);
  return out;
}

} // namespace sparsec
