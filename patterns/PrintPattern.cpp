// A pattern as YAML that parses back to an equal one: closed predicates, defaults left out.
#include "patterns/Pattern.h"

#include <fmt/format.h>

#include <algorithm>

namespace sparsec {

namespace {

/// Double quoted, on one line.
std::string quoted(const std::string &text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      out += fmt::format("\\{}", c);
    else if (c == '\n')
      out += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    else
      out += c;
  }
  return out + '"';
}

/// An expression as a plain scalar, quoted where YAML would read it as something else: a list's
/// bracket after a blank and a comma is its own.
std::string scalar(const std::string &expression) {
  return expression.starts_with('[') ? quoted(expression) : expression;
}

/// An order as `schedule:` has it.
struct OrderText {
  std::string operator()(const NaturalOrder &) const { return "natural"; }
  std::string operator()(const ResidueOrder &order) const {
    return fmt::format("{{residue: {}}}", order.period);
  }
  std::string operator()(const TailsOrder &order) const {
    return fmt::format("{{tails: [{}, {}]}}", order.period, order.width);
  }
  std::string operator()(const GridOrder &order) const {
    return fmt::format("{{grid: [{}], tile: [{}]}}", fmt::join(order.sizes, ", "),
                       fmt::join(order.tile, ", "));
  }
  std::string operator()(const TableOrder &order) const {
    return fmt::format("{{table: {}}}", quoted(order.name));
  }
};
std::string textOf(const std::optional<OrderSpec> &order) {
  return order ? std::visit(OrderText{}, *order) : "auto";
}

std::string_view nameOf(SplitChoice split) {
  switch (split) {
  case SplitChoice::Auto:
    return "auto";
  case SplitChoice::Always:
    return "always";
  case SplitChoice::Never:
    return "never";
  }
  return "auto";
}

/// {block: [64, 32], order: natural}
std::string scheduleText(const Schedule &schedule) {
  std::vector<std::string> parts;
  if (schedule.block != Block{})
    parts.push_back(fmt::format("block: [{}, {}]", schedule.block.q, schedule.block.k));
  if (schedule.orderQ != schedule.orderK)
    parts.push_back(
        fmt::format("order: {{q: {}, k: {}}}", textOf(schedule.orderQ), textOf(schedule.orderK)));
  else if (schedule.orderQ)
    parts.push_back(fmt::format("order: {}", textOf(schedule.orderQ)));
  if (schedule.split != SplitChoice::Auto)
    parts.push_back(fmt::format("split: {}", nameOf(schedule.split)));
  return fmt::format("{{{}}}", fmt::join(parts, ", "));
}

std::string layersText(const Pattern &pattern) {
  std::vector<std::string> layers;
  for (const std::vector<int> &layer : pattern.layers) {
    std::vector<std::string> names;
    for (int head : layer)
      names.push_back(pattern.heads[head].name);
    layers.push_back(names.size() == 1 ? names[0] : fmt::format("[{}]", fmt::join(names, ", ")));
  }
  return fmt::format("[{}]", fmt::join(layers, ", "));
}

} // namespace

std::string print(const Pattern &pattern) {
  std::string out = fmt::format("name: {}\n", pattern.name);
  if (!pattern.doc.empty())
    out += fmt::format("doc: {}\n", quoted(pattern.doc));
  if (!pattern.params.empty() || !pattern.lists.empty()) {
    std::vector<std::string> params;
    for (const auto &[name, value] : pattern.params)
      params.push_back(fmt::format("{}: {}", name, value));
    for (const auto &[name, list] : pattern.lists)
      params.push_back(fmt::format("{}: [{}]", name, fmt::join(list->values, ", ")));
    out += fmt::format("params: {{{}}}\n", fmt::join(params, ", "));
  }
  out += "heads:\n";
  for (const HeadEntry &head : pattern.heads) {
    out += fmt::format("  - name: {}\n    attend: {}\n", head.name,
                       scalar(print(head.attend, ListText::Named)));
    if (head.schedule != Schedule{})
      out += fmt::format("    schedule: {}\n", scheduleText(head.schedule));
  }
  if (!pattern.layers.empty())
    out += fmt::format("layers: {}\n", layersText(pattern));
  return out;
}

bool equal(const Pattern &a, const Pattern &b) {
  auto sameLists = [&] {
    return std::equal(a.lists.begin(), a.lists.end(), b.lists.begin(), b.lists.end(),
                      [](const auto &x, const auto &y) {
                        return x.first == y.first && sameValues(x.second, y.second);
                      });
  };
  if (a.name != b.name || a.doc != b.doc || a.params != b.params || !sameLists() ||
      a.layers != b.layers || a.heads.size() != b.heads.size())
    return false;
  for (size_t i = 0; i < a.heads.size(); ++i)
    if (a.heads[i].name != b.heads[i].name || a.heads[i].schedule != b.heads[i].schedule ||
        !equal(a.heads[i].attend, b.heads[i].attend))
      return false;
  return true;
}

} // namespace sparsec
