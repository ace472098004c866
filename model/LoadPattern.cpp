#include "model/Transformer.h"
#include "patterns/Files.h"
#include "patterns/Resolve.h"

#include <filesystem>
#include <fmt/format.h>

namespace sparsec {

/// A pattern, and what it names beside it.
static constexpr FileUse kPatternFile = {"pattern file", kMaxPatternBytes};
static constexpr FileUse kFileOfPattern = {"table or list of a pattern", size_t(1) << 28};

Result<std::shared_ptr<const Pattern>> loadPattern(const AttentionConfig &attention) {
  const std::string &name = attention.pattern;
  bool isPath = name.find('/') != std::string::npos || name.ends_with(".yaml");
  std::shared_ptr<const SourceText> source;
  if (isPath) {
    auto read = readPath(name, kPatternFile);
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
      [folder](const std::string &file) { return readBeside(folder, file, kFileOfPattern); });
  if (!pattern)
    return pattern.error();
  return std::make_shared<const Pattern>(std::move(*pattern));
}

} // namespace sparsec
