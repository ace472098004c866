// Options and their values, read strictly: decimal integers within stated bounds, names from stated
// lists, and a suggestion for what is almost one of them.
#pragma once

#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace sparsec::cli {

/// The name that `given` is likely a misspelling of.
std::optional<std::string> nearest(const std::string &given, const std::vector<std::string> &names);
/// "; did you mean 'x'?" or nothing.
std::string suggestion(const std::string &given, const std::vector<std::string> &names);

/// Reads one value; returns what is wrong with it, or nothing.
using Reader = std::function<std::string(const std::string &)>;
struct IntegerBounds {
  int64_t low = 1;
  int64_t high = INT32_MAX;
};
/// A whole decimal number in the text, or what is wrong.
std::string readInteger(const std::string &text, const IntegerBounds &bounds, int64_t &value);

/// "a, b or c"
std::string listed(const std::vector<std::string> &names, const std::string &word = "or");

/// The options of one command. Names are as CLI11 has them ("-o,--out"); a value keeps its default
/// when its option is not given.
///
/// CLI11 stands behind it: its headers hold all its code, and a file that sees them takes ten
/// seconds more to compile. Options.cpp and main.cpp do.
class Options {
public:
  explicit Options(CLI::App &app) : app(app) {}

  /// What is declared from now on stands under this heading of --help.
  void heading(std::string title) { group = std::move(title); }
  void positional(const std::string &name, std::string &value);
  void positional(const std::string &name, std::vector<std::string> &values);
  void flag(const std::string &names, const std::string &description, bool &value);
  void value(const std::string &names, const std::string &type, const std::string &description,
             Reader read);
  /// May be given many times; `read` sees each in turn.
  void repeated(const std::string &names, const std::string &type, const std::string &description,
                Reader read);
  void integer(const std::string &names, const std::string &description, int64_t &value,
               IntegerBounds bounds = {});
  void integer(const std::string &names, const std::string &description,
               std::optional<int64_t> &value, IntegerBounds bounds = {});
  /// One of a few names.
  void choice(const std::string &names, const std::string &type, const std::string &description,
              std::string &value, std::vector<std::string> choices);
  /// Called when all options are read; returns what is wrong with them together, or nothing.
  void check(std::function<std::string()> whole);

  /// Whether any of these options was given.
  bool given(std::initializer_list<const char *> names) const;
  /// Every option's names: "-n", "--heads", ...
  std::vector<std::string> names() const;
  /// The text of --help.
  std::string help(const std::string &usage, const std::string &summary) const;

private:
  CLI::Option *add(const std::string &names, const std::string &type,
                   const std::string &description, Reader read);

  CLI::App &app;
  std::string group = "Options";
};

} // namespace sparsec::cli
