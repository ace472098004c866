// Options and their values, read strictly: decimal integers within stated bounds, names from stated
// lists, and a suggestion for what is almost one of them.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>

namespace sparsec::cli {

/// The name that `given` is likely a misspelling of.
std::optional<std::string> nearest(const std::string &given, const std::vector<std::string> &names);
/// "; did you mean 'x'?" or nothing.
std::string suggestion(const std::string &given, const std::vector<std::string> &names);

/// Reads one value; returns what is wrong with it, or nothing.
using Reader = std::function<std::string(const std::string &)>;
CLI::Option *addValue(CLI::App &app, const std::string &names, const std::string &type,
                      const std::string &description, Reader read);

struct IntegerBounds {
  int64_t low = 1;
  int64_t high = INT32_MAX;
};
/// A whole decimal number in the text, or what is wrong.
std::string readInteger(const std::string &text, const IntegerBounds &bounds, int64_t &value);

/// A number option; `value` keeps its default when the option is not given.
CLI::Option *addInteger(CLI::App &app, const std::string &names, const std::string &description,
                        int64_t &value, IntegerBounds bounds = {});
CLI::Option *addInteger(CLI::App &app, const std::string &names, const std::string &description,
                        std::optional<int64_t> &value, IntegerBounds bounds = {});
/// One of a few names.
CLI::Option *addChoice(CLI::App &app, const std::string &names, const std::string &type,
                       const std::string &description, std::string &value,
                       std::vector<std::string> choices);
/// "a, b or c"
std::string listed(const std::vector<std::string> &names, const std::string &word = "or");

/// The text of --help.
std::string helpText(const CLI::App &app, const std::string &usage, const std::string &summary);

} // namespace sparsec::cli
