#include "tools/sparsec/Terminal.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fmt/core.h>
#include <unistd.h>

namespace sparsec::cli {

Style Style::of(int descriptor) {
  Style style;
  const char *term = std::getenv("TERM");
  const char *noColour = std::getenv("NO_COLOR");
  style.coloured =
      isatty(descriptor) && term && std::string(term) != "dumb" && (!noColour || !*noColour);
  return style;
}

Style Style::inColour() {
  Style style;
  style.coloured = true;
  return style;
}

std::string Style::picture(const std::string &text) const {
  if (!coloured)
    return text;
  // The palette of figures, in the 256 colours of terminals.
  constexpr const char *kSeries[] = {"38;5;32", "38;5;208", "38;5;35",
                                     "38;5;98", "38;5;167", "38;5;37"};
  std::string out;
  for (char c : text) {
    const char *code = c == '#' || c == 'F'   ? "38;5;25"
                       : c == '+' || c == 'P' ? "38;5;110"
                       : c == '.'             ? "38;5;247"
                       : c == 'Q'             ? "1;7"
                       : c == '*'             ? "1"
                       : '1' <= c && c <= '9' ? kSeries[(c - '1') % 6]
                                              : nullptr;
    out += code ? wrap(code, std::string(1, c)) : std::string(1, c);
  }
  return out;
}

std::string Style::wrap(const char *code, const std::string &text) const {
  return coloured ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : text;
}

std::string Table::render(const Style &style) const {
  std::vector<size_t> widths;
  for (size_t c = 0; c < columns.size(); ++c) {
    widths.push_back(columns[c].heading.size());
    for (const auto &row : rows)
      widths[c] = std::max(widths[c], row[c].size());
  }
  auto line = [&](auto &&cell) {
    std::string text;
    for (size_t c = 0; c < columns.size(); ++c) {
      text += c ? "  " : "";
      text += columns[c].align == Left ? fmt::format("{:<{}}", cell(c), widths[c])
                                       : fmt::format("{:>{}}", cell(c), widths[c]);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
  };
  std::string out =
      style.dim(line([&](size_t c) -> const std::string & { return columns[c].heading; })) + "\n";
  for (const auto &row : rows)
    out += line([&](size_t c) -> const std::string & { return row[c]; }) + "\n";
  return out;
}

std::string grouped(int64_t number) {
  std::string text = number < 0 ? "-" : "";
  std::string digits = fmt::format("{}", number).substr(text.size());
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i && (digits.size() - i) % 3 == 0)
      text += ',';
    text += digits[i];
  }
  return text;
}

std::string percent(double fraction) {
  double value = fraction * 100;
  // Small shares keep two digits that say something.
  if (value != 0 && std::abs(value) < 0.95)
    return fmt::format("{:.2g} %", value);
  return fmt::format("{:.1f} %", value);
}

std::string fileSize(uint64_t bytes) {
  if (bytes < 1000)
    return fmt::format("{} B", bytes);
  if (bytes < 1'000'000)
    return fmt::format("{} KB", (bytes + 500) / 1000);
  return fmt::format("{:.1f} MB", bytes / 1e6);
}

std::string seconds(double duration) {
  return duration < 9.95 ? fmt::format("{:.2f} s", duration) : fmt::format("{:.0f} s", duration);
}

std::string abbreviated(const std::vector<int64_t> &numbers) {
  constexpr size_t kShown = 4;
  std::string text;
  for (size_t i = 0; i < numbers.size() && i < kShown; ++i)
    text += fmt::format("{}{}", i ? " " : "", numbers[i]);
  if (numbers.size() > kShown)
    text += fmt::format("{}{}", numbers.size() > kShown + 1 ? " .. " : " ", numbers.back());
  return text;
}

std::string counted(int64_t number, const std::string &noun) {
  return fmt::format("{} {}{}", grouped(number), noun, number == 1 ? "" : "s");
}

} // namespace sparsec::cli
