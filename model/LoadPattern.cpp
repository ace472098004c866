#include "model/Transformer.h"
#include "patterns/Resolve.h"

#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <sstream>

namespace sparsec {

namespace {

Result<std::shared_ptr<const SourceText>> readText(const std::string &path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file)
    return inputError(fmt::format("{}: cannot be read", path));
  return std::make_shared<const SourceText>(SourceText{path, text.str()});
}

} // namespace

Result<std::shared_ptr<const Pattern>> loadPattern(const AttentionConfig &attention) {
  const std::string &name = attention.pattern;
  bool isPath = name.find('/') != std::string::npos || name.ends_with(".yaml");
  std::shared_ptr<const SourceText> source;
  if (isPath) {
    auto read = readText(name);
    if (!read)
      return read.error();
    source = *read;
  } else if (!(source = zooFile(name))) {
    return inputError(
        fmt::format("there is no pattern '{}' in the zoo{}", name, suggestion(name, zooNames())));
  }
  auto folder = std::filesystem::path(name).parent_path();
  auto pattern = parsePattern(
      source, {.params = attention.params, .where = {}},
      [folder](const std::string &table) { return readText((folder / table).string()); });
  if (!pattern)
    return pattern.error();
  return std::make_shared<const Pattern>(std::move(*pattern));
}

} // namespace sparsec
