#include "runtime/c/PatternSource.h"

#include "patterns/LayerEntries.h"
#include "patterns/Resolve.h"

#include <cerrno>
#include <filesystem>
#include <fmt/format.h>

namespace sparsec {
namespace {

constexpr size_t kMostTableBytes = size_t(1) << 28;

Result<std::shared_ptr<const SourceText>> readFile(const std::string &path, size_t most) {
  std::error_code failure;
  if (std::filesystem::is_directory(path, failure))
    return inputError(fmt::format("{}: is a directory, not a pattern file", path));
  std::unique_ptr<FILE, int (*)(FILE *)> file(fopen(path.c_str(), "rbe"), fclose);
  if (!file)
    return inputError(fmt::format("{}: cannot be opened: {}", path, std::strerror(errno)));
  auto source = std::make_shared<SourceText>(SourceText{path, ""});
  char buffer[1 << 16];
  size_t got = 0;
  while (source->text.size() <= most && (got = fread(buffer, 1, sizeof buffer, file.get())) > 0)
    source->text.append(buffer, got);
  if (ferror(file.get()))
    return inputError(fmt::format("{}: cannot be read", path));
  if (source->text.size() > most)
    return inputError(fmt::format("{}: larger than {} KiB", path, most / 1024));
  return std::shared_ptr<const SourceText>(source);
}

bool isPath(const std::string &name) {
  return name.find('/') != std::string::npos || name.ends_with(".yaml") || name.ends_with(".yml");
}

FileReader filesIn(std::filesystem::path folder) {
  return [folder = std::move(folder)](const std::string &name) {
    return readFile((folder / name).string(), kMostTableBytes);
  };
}

Result<Pattern> readNamed(const std::string &name, const PatternOverrides &overrides) {
  if (isPath(name)) {
    auto text = readFile(name, kMaxPatternBytes);
    if (!text)
      return text.error();
    return parsePattern(*text, overrides, filesIn(std::filesystem::path(name).parent_path()));
  }
  if (auto text = zooFile(name))
    return parsePattern(text, overrides);
  Error error = inputError(fmt::format("there is no pattern {} in the zoo{}", quote(name),
                                       suggestion(name, zooNames())));
  error.notes.emplace_back("a path has a '/' or ends in .yaml");
  return error;
}

} // namespace

FileReader filesHere() {
  return filesIn({});
}

Result<Pattern> readWholePattern(const sparsec_pattern &source) {
  if (!source.text)
    return inputError("pattern: expected a text, found null");
  PatternOverrides overrides;
  for (size_t i = 0; i < source.param_count; ++i) {
    if (!source.params || !source.params[i])
      return inputError(fmt::format("pattern.params[{}]: expected a text, found null", i));
    if (auto added = addParam(overrides, source.params[i]); !added)
      return added.error();
  }
  switch (source.kind) {
  case SPARSEC_PATTERN_NAME:
    return readNamed(source.text, overrides);
  case SPARSEC_PATTERN_TEXT:
    return parsePattern(std::make_shared<SourceText>(SourceText{"<text>", source.text}), overrides,
                        filesHere());
  case SPARSEC_PATTERN_EXPRESSION:
    return patternOfExpression(std::make_shared<SourceText>(SourceText{"-e", source.text}),
                               overrides);
  }
  return inputError(
      fmt::format("pattern.kind: expected a sparsec_pattern_kind, found {}", source.kind));
}

Result<SourcePattern> readPattern(const sparsec_pattern &source) {
  Result<Pattern> pattern = readWholePattern(source);
  if (!pattern)
    return pattern.error();
  if (source.has_layer && source.layer < 0)
    return inputError(
        fmt::format("pattern.layer: expected a layer from 0, found {}", source.layer));
  if (!source.has_layer && !layersAreOne(*pattern))
    return inputError(fmt::format("pattern.layer: expected a layer: the {} layers of '{}' differ",
                                  pattern->layers.size(), pattern->name));
  SourcePattern result{.pattern = {}, .layer = {}};
  for (int entry : layerEntries(*pattern, source.has_layer ? source.layer : 0))
    result.layer.push_back(pattern->heads[static_cast<size_t>(entry)]);
  result.pattern = std::move(*pattern);
  return result;
}

} // namespace sparsec
