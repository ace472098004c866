// How reports look: aligned tables, numbers that can be read, colour on terminals only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sparsec::cli {

/// Escape sequences where they are wanted, nothing elsewhere.
class Style {
public:
  Style() = default;
  /// Of a file descriptor: plain unless it is a terminal, TERM is not dumb and NO_COLOR is unset.
  static Style of(int descriptor);
  static Style inColour();

  std::string bold(const std::string &text) const { return wrap("1", text); }
  std::string dim(const std::string &text) const { return wrap("2", text); }
  std::string good(const std::string &text) const { return wrap("32", text); }
  std::string bad(const std::string &text) const { return wrap("31", text); }
  /// A picture's characters: '#' and 'F', '+' and 'P', '.', 'Q', and digits, each in a colour of
  /// its own.
  std::string picture(const std::string &text) const;

private:
  std::string wrap(const char *code, const std::string &text) const;
  bool coloured = false;
};

/// Rows under headings, columns as wide as their widest cell:
///
///   head     block  density     live
///   row     64x64     6.1 %      127
///   column  64x64     0.8 %    2,080
class Table {
public:
  enum Align { Left, Right };
  struct Column {
    std::string heading;
    Align align = Left;
  };
  explicit Table(std::vector<Column> columns) : columns(std::move(columns)) {}

  void add(std::vector<std::string> cells) { rows.push_back(std::move(cells)); }
  std::string render(const Style &style) const;

private:
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;
};

std::string grouped(int64_t number);  ///< 18,624
std::string percent(double fraction); ///< 6.1 %
std::string fileSize(uint64_t bytes); ///< 12 KB
std::string seconds(double duration); ///< 0.42 s
/// "0 2 4", of long lists the first few and the last: "1 3 5 7 .. 15"
std::string abbreviated(const std::vector<int64_t> &numbers);
/// "3 files", "1 file"
std::string counted(int64_t number, const std::string &noun);

} // namespace sparsec::cli
