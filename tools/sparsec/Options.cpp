#include "tools/sparsec/Options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <fmt/core.h>
#include <utility>

namespace sparsec::cli {
namespace {

/// Edits (insert, delete, replace, swap of neighbours) between two words.
size_t distance(const std::string &a, const std::string &b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i)
    for (size_t j = 0; j <= b.size(); ++j) {
      if (!i || !j) {
        d[i][j] = i + j;
        continue;
      }
      size_t same = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      d[i][j] = std::min({same, d[i - 1][j] + 1, d[i][j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

} // namespace

std::optional<std::string> nearest(const std::string &given,
                                   const std::vector<std::string> &names) {
  std::optional<std::string> best;
  if (given.size() > 64)
    return best;
  size_t limit = std::max<size_t>(1, given.size() / 3) + 1;
  for (const std::string &name : names)
    if (size_t edits = distance(given, name); edits < limit) {
      best = name;
      limit = edits;
    }
  // A name that was cut short or drawn out.
  for (size_t i = 0; !best && i < names.size(); ++i)
    if (std::min(given.size(), names[i].size()) >= 5 &&
        (given.starts_with(names[i]) || names[i].starts_with(given)))
      best = names[i];
  return best;
}

std::string suggestion(const std::string &given, const std::vector<std::string> &names) {
  auto near = nearest(given, names);
  return near ? fmt::format("; did you mean '{}'?", *near) : "";
}

std::string readInteger(const std::string &text, const IntegerBounds &bounds, int64_t &value) {
  auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  bool whole = end == text.data() + text.size() && failure != std::errc::invalid_argument;
  if (!whole)
    return fmt::format("expected a whole number, found '{}'", text);
  if (failure == std::errc::result_out_of_range || value < bounds.low || value > bounds.high)
    return fmt::format("expected {} .. {}, found {}", bounds.low, bounds.high, text);
  return "";
}

std::string listed(const std::vector<std::string> &names, const std::string &word) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i)
    text += (!i ? "" : i + 1 < names.size() ? ", " : " " + word + " ") + names[i];
  return text;
}

CLI::Option *Options::add(const std::string &names, const std::string &type,
                          const std::string &description, Reader read) {
  // The whole name, as it will be shown, is known to CLI11 only after the option was added.
  std::string shown = names.substr(names.rfind(',') + 1);
  return app
      .add_option_function<std::string>(
          names,
          [read = std::move(read), shown](const std::string &text) {
            if (std::string wrong = read(text); !wrong.empty())
              throw CLI::ValidationError(shown, wrong);
          },
          description)
      ->type_name(type)
      ->type_size(1)
      ->group(group);
}

void Options::positional(const std::string &name, std::string &value) {
  app.add_option(name, value);
}

void Options::positional(const std::string &name, std::vector<std::string> &values) {
  app.add_option(name, values);
}

void Options::flag(const std::string &names, const std::string &description, bool &value) {
  app.add_flag(names, value, description)->group(group);
}

void Options::value(const std::string &names, const std::string &type,
                    const std::string &description, Reader read) {
  add(names, type, description, std::move(read));
}

void Options::repeated(const std::string &names, const std::string &type,
                       const std::string &description, Reader read) {
  add(names, type, description, std::move(read))
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->trigger_on_parse();
}

void Options::integer(const std::string &names, const std::string &description, int64_t &value,
                      IntegerBounds bounds) {
  add(names, "N", description,
      [&value, bounds](const std::string &text) { return readInteger(text, bounds, value); });
}

void Options::integer(const std::string &names, const std::string &description,
                      std::optional<int64_t> &value, IntegerBounds bounds) {
  add(names, "N", description, [&value, bounds](const std::string &text) {
    value = 0;
    return readInteger(text, bounds, *value);
  });
}

void Options::choice(const std::string &names, const std::string &type,
                     const std::string &description, std::string &value,
                     std::vector<std::string> choices) {
  add(names, type, description, [&value, choices](const std::string &text) {
    value = text;
    if (std::find(choices.begin(), choices.end(), text) != choices.end())
      return std::string();
    return fmt::format("expected {}, found '{}'{}", listed(choices), text,
                       suggestion(text, choices));
  });
}

void Options::check(std::function<std::string()> whole) {
  app.parse_complete_callback([whole = std::move(whole)] {
    if (std::string wrong = whole(); !wrong.empty())
      throw CLI::ValidationError(wrong);
  });
}

bool Options::given(std::initializer_list<const char *> names) const {
  return std::any_of(names.begin(), names.end(),
                     [&](const char *name) { return app.get_option(name)->count() > 0; });
}

std::vector<std::string> Options::names() const {
  std::vector<std::string> all;
  for (const CLI::Option *option : std::as_const(app).get_options()) {
    for (const std::string &name : option->get_snames())
      all.push_back("-" + name);
    for (const std::string &name : option->get_lnames())
      all.push_back("--" + name);
  }
  return all;
}

std::string Options::help(const std::string &usage, const std::string &summary) const {
  std::string text = fmt::format("usage: {}\n\n{}\n", usage, summary);
  std::string shown;
  for (const CLI::Option *option : std::as_const(app).get_options()) {
    if (option->get_group().empty() || option->get_positional())
      continue;
    if (option->get_group() != shown) {
      shown = option->get_group();
      text += fmt::format("\n{}\n", shown);
    }
    std::string name;
    for (const std::string &each : option->get_snames())
      name += (name.empty() ? "-" : ", -") + each;
    for (const std::string &each : option->get_lnames())
      name += (name.empty() ? "    --" : ", --") + each;
    if (option->get_type_size() > 0)
      name += " " + option->get_type_name();
    // A name too long for its column pushes its description to the next line.
    text += fmt::format("  {:<26}", name);
    if (name.size() > 25)
      text += fmt::format("\n  {:<26}", "");
    text += option->get_description() + "\n";
  }
  return text;
}

} // namespace sparsec::cli
