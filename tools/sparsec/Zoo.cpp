// sparsec zoo [NAME]: the patterns that are built in, or the text of one.
#include "patterns/Pattern.h"
#include "tools/sparsec/Command.h"
#include "tools/sparsec/Options.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace sparsec::cli {
namespace {

/// The first clause of a doc text, cut to what fits a line of the table.
std::string headline(const std::string &doc) {
  std::string text = doc.substr(0, std::min({doc.find(": "), doc.find(". "), doc.find(" (")}));
  if (text.size() > 64)
    text = text.substr(0, text.rfind(' ', 61)) + " ...";
  return text;
}

Result<Answer> list(const Session &session) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  Table table({{"name"}, {"heads"}, {"parameters"}, {"what it is"}});
  for (const std::string &name : zooNames()) {
    auto pattern = parsePattern(zooFile(name));
    if (!pattern)
      return pattern.error();
    std::string heads, params;
    nlohmann::ordered_json headNames = nlohmann::ordered_json::array();
    for (const HeadEntry &head : pattern->heads) {
      heads += (heads.empty() ? "" : ", ") + head.name;
      headNames.push_back(head.name);
    }
    for (const auto &[key, value] : pattern->params)
      params += fmt::format("{}{}={}", params.empty() ? "" : " ", key, value);
    table.add({name, heads, params, headline(pattern->doc)});
    rows.push_back(
        {{"name", name}, {"heads", headNames}, {"params", pattern->params}, {"doc", pattern->doc}});
  }
  if (session.json)
    fmt::print("{}\n", nlohmann::ordered_json{{"patterns", rows}}.dump(2));
  else
    fmt::print("{}", table.render(session.style));
  session.report("\n'sparsec zoo NAME' prints a file to start from.\n");
  return Answer::Yes;
}

Result<Answer> print(const Session &session, const std::string &name) {
  auto file = zooFile(name);
  if (!file)
    return inputError(
        fmt::format("there is no pattern '{}' in the zoo{}", name, suggestion(name, zooNames())));
  if (session.json)
    fmt::print("{}\n", nlohmann::ordered_json{{"name", name}, {"text", file->text}}.dump(2));
  else
    fmt::print("{}", file->text);
  return Answer::Yes;
}

} // namespace

Action declareZoo(Options &options) {
  auto name = std::make_shared<std::string>();
  options.positional("NAME", *name);
  return [name](Session &session) { return name->empty() ? list(session) : print(session, *name); };
}

} // namespace sparsec::cli
