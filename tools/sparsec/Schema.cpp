// sparsec schema pattern|config: a JSON Schema of the files that people write, for their editors.
#include "model/ConfigFields.h"
#include "tools/sparsec/Command.h"
#include "tools/sparsec/HelpPages.h"
#include "tools/sparsec/Options.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace sparsec::cli {
namespace {

using Json = nlohmann::ordered_json;

/// Walks the keys of a config as its reader does.
class ConfigSchema {
public:
  ConfigSchema() { object(all); }

  Json run() {
    Config config;
    visitConfig(*this, config);
    Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                   {"title", "A sparsec training configuration"}};
    schema.update(all);
    return schema;
  }

  template <class Body>
  void section(const char *key, Presence presence, const Body &body) {
    Json *outer = at;
    Json &inner = add(key, Json::object(), presence);
    object(inner);
    at = &inner;
    body();
    at = outer;
  }
  void text(const char *key, const std::string &) {
    add(key, {{"type", "string"}}, Presence::Required);
  }
  template <class Value>
  void integer(const char *key, Value &, IntegerRange range,
               Presence presence = Presence::Optional) {
    Json number = {{"type", "integer"}, {"minimum", range.low}, {"maximum", range.high}};
    if (range.word.empty())
      add(key, number, presence);
    else
      add(key, {{"oneOf", {number, {{"const", range.word}}}}}, presence);
  }
  void number(const char *key, double &, NumberRange range) {
    add(key, {{"type", "number"},
              {range.openLow ? "exclusiveMinimum" : "minimum", range.low},
              {range.openHigh ? "exclusiveMaximum" : "maximum", range.high}});
  }
  void flag(const char *key, bool &) { add(key, {{"type", "boolean"}}); }
  void choice(const char *key, std::string &, std::vector<std::string> choices) {
    add(key, {{"enum", choices}});
  }
  void betas(const char *key, double &, double &) {
    add(key,
        {{"type", "array"}, {"minItems", 2}, {"maxItems", 2}, {"items", {{"type", "number"}}}});
  }
  void positions(const char *key, std::vector<PositionConfig> &) {
    add(key, {{"type", "object"},
              {"description", "learned tables: the row that position t takes of each"},
              {"additionalProperties", {{"type", {"string", "integer"}}}}});
  }
  void params(const char *key, std::map<std::string, int64_t> &) {
    add(key, {{"type", "object"}, {"additionalProperties", {{"type", "integer"}}}});
  }
  bool wants(const char *, int64_t) { return true; } // one of epochs and steps

private:
  Json all;
  Json *at = &all;

  static void object(Json &schema) {
    schema = {{"type", "object"},
              {"required", Json::array()},
              {"additionalProperties", false},
              {"properties", Json::object()}};
  }
  Json &add(const char *key, Json schema, Presence presence = Presence::Optional) {
    if (presence == Presence::Required)
      (*at)["required"].push_back(key);
    return (*at)["properties"][key] = std::move(schema);
  }
};

Result<Answer> print(const std::string &which) {
  if (which == "config") {
    fmt::print("{}\n", ConfigSchema().run().dump(2));
    return Answer::Yes;
  }
  for (const EmbeddedText &schema : schemas())
    if (which == schema.name)
      fmt::print("{}", schema.text);
  return Answer::Yes;
}

} // namespace

Action declareSchema(Options &options) {
  auto which = std::make_shared<std::string>();
  options.positional("WHICH", *which);
  options.check([which]() -> std::string {
    const std::vector<std::string> names = {"pattern", "config"};
    if (std::ranges::find(names, *which) != names.end())
      return "";
    return which->empty() ? "expected pattern or config, found nothing"
                          : fmt::format("expected pattern or config, found '{}'{}", *which,
                                        suggestion(*which, names));
  });
  return [which](Session &) { return print(*which); };
}

} // namespace sparsec::cli
