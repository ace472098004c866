// sparsec import FILE: a pattern file from what other libraries have: a mask of blocks, DeepSpeed's
// config, a Hugging Face model's.
#include "patterns/Files.h"
#include "tools/sparsec/Command.h"
#include "tools/sparsec/Names.h"
#include "tools/sparsec/Options.h"
#include "tools/sparsec/PatternFlags.h"
#include "tools/sparsec/import/Importers.h"

#include <fmt/core.h>

namespace sparsec::cli {
namespace {

constexpr FileUse kImported = {"mask or config", size_t(1) << 30};

struct ImportOptions {
  std::vector<std::string> files;
  ImportChoice choice;
  std::string name, out;
  int64_t columns = 0;
};

bool isArray(const Source &source) {
  return source->text.starts_with("\x93NUMPY");
}

Result<Imported> importArrays(const ImportOptions &options, const std::vector<Source> &sources) {
  std::vector<NpyArray> arrays;
  for (const Source &source : sources) {
    auto array = parseNpy(source->text, source->name);
    if (!array)
      return array.error();
    arrays.push_back(std::move(*array));
  }
  if (options.columns && arrays.size() == 1)
    return inputError("--columns: is of a mask in CSR, two files");
  auto mask = arrays.size() == 1 ? maskOf(arrays[0], sources[0]->name)
                                 : maskOf(arrays[0], arrays[1], options.columns, sources[0]->name);
  if (!mask)
    return mask.error();
  return importMask(*mask, options.choice);
}

Result<Imported> importConfig(const ImportOptions &options, const Source &source) {
  auto config = nlohmann::json::parse(source->text, nullptr, /*allow_exceptions=*/false);
  if (!config.is_object())
    return inputError(fmt::format("{}: expected a NumPy array (.npy) or a config in JSON, found "
                                  "another kind of file",
                                  source->name));
  if (options.choice.block.q || options.columns)
    return inputError("--block and --columns are of masks: a config says its own");
  bool deepSpeed = config.contains("sparse_attention") || config.contains("mode") ||
                   config.contains("num_local_blocks") ||
                   config.contains("num_sliding_window_blocks");
  return deepSpeed ? importDeepSpeed(config, options.choice)
                   : importHuggingFace(config, options.choice);
}

Result<Imported> import(const ImportOptions &options) {
  std::vector<Source> sources;
  for (const std::string &file : options.files) {
    auto source = readPath(file, kImported);
    if (!source)
      return source.error();
    sources.push_back(std::move(*source));
  }
  bool arrays = std::ranges::all_of(sources, isArray);
  if (!arrays && sources.size() > 1)
    return inputError("expected one config, or one mask, or the two arrays of a mask in CSR");
  return arrays ? importArrays(options, sources) : importConfig(options, sources[0]);
}

/// What a file is called without its folder and ending, as a pattern may be called.
std::string nameFrom(const std::string &path) {
  std::string name = identifier(std::filesystem::path(path).stem().string()).substr(0, 64);
  bool letter = !name.empty() && std::isalpha(static_cast<unsigned char>(name[0]));
  return letter ? name : "imported";
}

Result<Answer> run(const Session &session, ImportOptions options) {
  options.choice.name = !options.name.empty()  ? options.name
                        : !options.out.empty() ? nameFrom(options.out)
                                               : nameFrom(options.files[0]);
  options.choice.filesBeside = !options.out.empty();
  auto imported = import(options);
  if (!imported)
    return imported.error();
  // What is written is read once, as show would.
  std::map<std::string, std::string> files(imported->files.begin(), imported->files.end());
  auto source = std::make_shared<SourceText>(SourceText{"the imported pattern", imported->text});
  auto pattern = parsePattern(source, {}, [&](const std::string &name) -> Result<Source> {
    return std::make_shared<const SourceText>(SourceText{name, files[name]});
  });
  if (!pattern)
    return pattern.error();
  if (options.out.empty()) {
    fmt::print("{}", imported->text);
    return Answer::Yes;
  }
  std::filesystem::path folder = std::filesystem::path(options.out).parent_path();
  for (const auto &[name, contents] : imported->files)
    if (auto written = writeNew((folder / name).string(), contents); !written)
      return written.error();
  if (auto written = writeNew(options.out, imported->text); !written)
    return written.error();
  session.report(
      fmt::format("wrote {}: {}\n", options.out, counted(pattern->heads.size(), "head")));
  return Answer::Yes;
}

} // namespace

Action declareImport(Options &options) {
  auto asked = std::make_shared<ImportOptions>();
  options.positional("FILE", asked->files);
  options.heading("Import");
  options.value("--block", "B|BQxBK", "of a mask: how many queries and keys a block has",
                [asked](const std::string &text) { return readBlock(text, asked->choice.block); });
  options.integer("--columns", "of a mask in CSR: blocks a row (as many as rows)", asked->columns,
                  {1, INT32_MAX});
  options.value("--name", "NAME", "of the pattern (that of the file)",
                [asked](const std::string &text) {
                  asked->name = text;
                  return std::string();
                });
  options.value("-o,--out", "FILE", "pattern file to write (stdout); long lists stand beside it",
                [asked](const std::string &text) {
                  asked->out = text;
                  return text.empty() ? "expected the name of a file, found ''" : "";
                });
  options.check([asked]() -> std::string {
    if (asked->files.empty())
      return "FILE: missing: a mask (.npy), two arrays of one in CSR, or a config of DeepSpeed or "
             "Hugging Face";
    return asked->files.size() > 2 ? "expected one file, or the two of a mask in CSR" : "";
  });
  return [asked](Session &session) { return run(session, *asked); };
}

} // namespace sparsec::cli
