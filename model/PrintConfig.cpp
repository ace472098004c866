#include "model/ConfigFields.h"

#include <fmt/format.h>

namespace sparsec {

namespace {

/// A text as YAML that reads back as it: quoted where plain text might mean something else.
std::string yamlText(const std::string &text) {
  bool plain = !text.empty();
  for (char c : text)
    plain = plain && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_' || c == '.' || c == '/');
  if (plain && text[0] != '-' && text[0] != '.' && !(text[0] >= '0' && text[0] <= '9'))
    return text;
  std::string quoted = "'";
  for (char c : text) {
    quoted += c;
    if (c == '\'')
      quoted += c;
  }
  return quoted + "'";
}

class Printer {
public:
  std::string out;

  template <class Body>
  void section(std::string_view key, Presence, Body body) {
    out += fmt::format("{}:\n", key);
    indent = "  ";
    body();
    indent = "";
  }
  void text(std::string_view key, const std::string &value) { line(key, yamlText(value)); }
  void integer(std::string_view key, int64_t value, IntegerRange range, Presence = {}) {
    bool word = !range.word.empty() && value == range.low;
    line(key, word ? std::string(range.word) : fmt::format("{}", value));
  }
  void number(std::string_view key, double value, NumberRange) {
    line(key, fmt::format("{}", value));
  }
  void flag(std::string_view key, bool value) { line(key, value ? "true" : "false"); }
  void choice(std::string_view key, const std::string &value, const std::vector<std::string> &) {
    line(key, value);
  }
  void betas(std::string_view key, double first, double second) {
    line(key, fmt::format("[{}, {}]", first, second));
  }
  void params(std::string_view key, const std::map<std::string, int64_t> &params) {
    std::vector<std::string> entries;
    for (const auto &[name, value] : params)
      entries.push_back(fmt::format("{}: {}", name, value));
    line(key, fmt::format("{{{}}}", fmt::join(entries, ", ")));
  }
  void positions(std::string_view key, const std::vector<PositionConfig> &tables) {
    std::vector<std::string> entries;
    for (const PositionConfig &table : tables)
      entries.push_back(fmt::format("{}: {}", table.name, yamlText(table.text)));
    line(key, fmt::format("{{{}}}", fmt::join(entries, ", ")));
  }
  /// Of steps and epochs the one that is given.
  bool wants(std::string_view, int64_t value) const { return value > 0; }

private:
  void line(std::string_view key, const std::string &value) {
    out += fmt::format("{}{}: {}\n", indent, key, value);
  }
  std::string indent;
};

} // namespace

std::string print(const Config &config) {
  Printer printer;
  Config copy = config; // the walk is the reader's too, which writes
  visitConfig(printer, copy);
  return printer.out;
}

} // namespace sparsec
