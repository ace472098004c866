// A Hugging Face config.json as a pattern: what each layer's queries may see. Its sliding_window w
// is w keys with the query itself (transformers' masks: k > q - w), its chunks are of positions.
#include "tools/sparsec/import/Importers.h"

#include <fmt/format.h>

namespace sparsec::cli {
namespace {

using Json = nlohmann::json;

enum class Kind : uint8_t { Full, Window, Chunk };

std::optional<int64_t> integer(const Json &config, const char *key) {
  auto found = config.find(key);
  if (found == config.end() || !found->is_number_integer() || found->get<int64_t>() < 1)
    return std::nullopt;
  return found->get<int64_t>();
}

bool isFalse(const Json &config, const char *key) {
  auto found = config.find(key);
  return found != config.end() && found->is_boolean() && !found->get<bool>();
}

Result<std::vector<Kind>> fromTypes(const Json &types) {
  std::vector<Kind> kinds;
  for (const Json &type : types) {
    std::string name = type.is_string() ? type.get<std::string>() : type.dump();
    if (name == "full_attention")
      kinds.push_back(Kind::Full);
    else if (name == "sliding_attention")
      kinds.push_back(Kind::Window);
    else if (name == "chunked_attention")
      kinds.push_back(Kind::Chunk);
    else
      return inputError(fmt::format("layer_types: expected full_attention, sliding_attention or "
                                    "chunked_attention, found {}; a layer without a pattern has "
                                    "none here",
                                    name));
  }
  return kinds;
}

/// What models say that have no layer_types.
std::vector<Kind> fromRules(const Json &config, int64_t layers) {
  std::vector<Kind> kinds;
  bool window = integer(config, "sliding_window") && !isFalse(config, "use_sliding_window");
  bool chunk = integer(config, "attention_chunk_size").has_value();
  int64_t period = integer(config, "sliding_window_pattern").value_or(0);
  int64_t fullUpTo = integer(config, "max_window_layers").value_or(0);
  auto roped = config.find("no_rope_layers"); // 0: no positions, and no chunks
  for (int64_t i = 0; i < layers; ++i) {
    bool full = (period && (i + 1) % period == 0) || i < fullUpTo;
    if (chunk) {
      bool listed = roped != config.end() && roped->is_array() && i < int64_t(roped->size());
      full = listed ? (*roped)[i] == 0 : (i + 1) % 4 == 0;
      kinds.push_back(full ? Kind::Full : Kind::Chunk);
    } else {
      kinds.push_back(window && !full ? Kind::Window : Kind::Full);
    }
  }
  return kinds;
}

/// The shortest list of layers that repeats to all of them.
std::vector<Kind> period(const std::vector<Kind> &kinds) {
  for (size_t p = 1; p < kinds.size(); ++p) {
    bool repeats = true;
    for (size_t i = p; repeats && i < kinds.size(); ++i)
      repeats = kinds[i] == kinds[i - p];
    if (repeats && kinds.size() % p == 0)
      return {kinds.begin(), kinds.begin() + static_cast<long>(p)};
  }
  return kinds;
}

std::string_view nameOf(Kind kind) {
  return kind == Kind::Full ? "full" : kind == Kind::Window ? "window" : "chunk";
}

} // namespace

Result<Imported> importHuggingFace(const Json &whole, const ImportChoice &choice) {
  const Json &config = whole.contains("text_config") ? whole["text_config"] : whole;
  std::optional<int64_t> layers = integer(config, "num_hidden_layers");
  if (!layers || *layers > static_cast<int64_t>(kMaxEntries))
    return inputError(fmt::format("num_hidden_layers: expected 1 .. {}, found {}", kMaxEntries,
                                  layers ? fmt::format("{}", *layers) : "none"));
  Result<std::vector<Kind>> kinds = fromRules(config, *layers);
  if (config.contains("layer_types") && config["layer_types"].is_array()) {
    kinds = fromTypes(config["layer_types"]);
    if (!kinds)
      return kinds.error();
  }
  std::vector<Kind> all = period(*kinds);
  std::string params, heads;
  for (Kind kind : {Kind::Window, Kind::Chunk, Kind::Full}) {
    if (std::find(all.begin(), all.end(), kind) == all.end())
      continue;
    std::string attend = "causal";
    if (kind != Kind::Full) {
      bool window = kind == Kind::Window;
      const char *key = window ? "sliding_window" : "attention_chunk_size";
      std::optional<int64_t> size = integer(config, key);
      if (!size)
        return inputError(fmt::format("{}: expected a size of at least 1 for the layers that need "
                                      "it, found {}",
                                      key, config.contains(key) ? config[key].dump() : "none"));
      attend = window ? "local(w)" : "causal and same(c)";
      params += fmt::format("{}{}: {}", params.empty() ? "" : ", ", window ? "w" : "c", *size);
    }
    heads += fmt::format("  - {{name: {}, attend: {}}}\n", nameOf(kind), attend);
  }
  std::vector<std::string_view> names;
  for (Kind kind : all)
    names.push_back(nameOf(kind));
  std::string model = config.contains("model_type") && config["model_type"].is_string()
                          ? config["model_type"].get<std::string>()
                          : "a model";
  std::string doc = fmt::format("The layers of {}, from its config.json.", model);
  Imported imported;
  imported.text = fmt::format("name: {}\ndoc: {}\n", choice.name, Json(doc).dump());
  if (!params.empty())
    imported.text += fmt::format("params: {{{}}}\n", params);
  imported.text += "heads:\n" + heads;
  if (names.size() > 1)
    imported.text += fmt::format("layers: [{}]\n", fmt::join(names, ", "));
  return imported;
}

} // namespace sparsec::cli
