#include "model/Run.h"

#include "model/Safetensors.h"

#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace sparsec {

namespace {

namespace fs = std::filesystem;

constexpr const char *kMark = "sparsec.json", *kKind = "run";
constexpr const char *kFirst = "adam.first.", *kSecond = "adam.second.";

Result<std::string> readAll(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  if (!file)
    return inputError(fmt::format("{}: cannot be read", path));
  return text.str();
}

Result<void> writeText(const std::string &path, std::string_view text) {
  return writeWhole(path, std::span(&text, 1));
}

/// The mark of a run folder; an error says what the folder is instead.
Result<Json> readMark(const std::string &path) {
  auto text = readAll(path + "/" + kMark);
  if (!text)
    return inputError(
        fmt::format("{}: is not the folder of a run (there is no {} in it)", path, kMark));
  Json mark = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!mark.is_object() || mark.value("kind", "") != kKind)
    return inputError(fmt::format("{}: is not the folder of a run ({} says so)", path, kMark));
  return mark;
}

void append(std::vector<NamedTensor> &tensors, const std::string &prefix,
            const Parameters &parameters, StatePart part, const StateReader &read) {
  for (const Parameter &each : parameters.all()) {
    std::vector<int64_t> shape = {each.columns};
    if (each.rows > 0)
      shape.insert(shape.begin(), each.rows);
    tensors.push_back({prefix + each.name, std::move(shape),
                       [part, &read, offset = each.offset](std::span<float> into) {
                         return read(part, offset, into);
                       }});
  }
}

} // namespace

Result<RunFolder> RunFolder::create(const std::string &path, const Origin &origin,
                                    const std::string &config, const std::string &pattern) {
  std::error_code failure;
  if (fs::exists(path, failure)) {
    if (!fs::is_directory(path, failure))
      return inputError(fmt::format("{}: is a file, not a folder", path));
    if (!fs::is_empty(path, failure)) {
      if (auto mark = readMark(path); !mark)
        return mark.error();
      Error error = inputError(fmt::format("{}: holds a run already", path));
      error.notes.push_back("--resume goes on with it");
      return error;
    }
  }
  // Beside it first: a run is there whole or not at all, whenever this process is stopped.
  fs::path place = fs::path(path).lexically_normal();
  if (!place.has_filename())
    place = place.parent_path();
  fs::path beside = place.parent_path() / ("." + place.filename().string() + ".sparsec-part");
  fs::remove_all(beside, failure);
  fs::create_directories(beside / "checkpoints", failure);
  if (failure)
    return machineError(fmt::format("{}: cannot be made: {}", path, failure.message()));
  RunFolder run;
  run.folder = path;
  run.made = origin;
  Json mark = {{"kind", kKind}, {"version", origin.version}, {"data", origin.data}};
  for (const auto &[name, text] : {std::pair<std::string, std::string>{"config.yaml", config},
                                   {"pattern.yaml", pattern},
                                   {"log.jsonl", ""},
                                   {kMark, mark.dump(2) + "\n"}})
    if (Result<void> written = writeText((beside / name).string(), text); !written)
      return written.error();
  fs::rename(beside, place, failure);
  if (failure)
    return machineError(fmt::format("{}: cannot be made: {}", path, failure.message()));
  return run;
}

Result<RunFolder> RunFolder::open(const std::string &path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored))
    return inputError(fmt::format("{}: there is no such run", path));
  auto mark = readMark(path);
  if (!mark)
    return mark.error();
  RunFolder run;
  run.folder = path;
  run.made = {mark->value("version", ""), mark->value("data", "")};
  return run;
}

Result<std::shared_ptr<const SourceText>> RunFolder::config() const {
  std::string path = folder + "/config.yaml";
  auto text = readAll(path);
  if (!text)
    return text.error();
  return std::make_shared<const SourceText>(SourceText{path, std::move(*text)});
}

Result<void> RunFolder::log(const Json &line) const {
  std::ofstream file(folder + "/log.jsonl", std::ios::app);
  file << line.dump() << "\n";
  file.flush();
  if (!file)
    return machineError(fmt::format("{}/log.jsonl: cannot be written", folder));
  return {};
}

Result<void> RunFolder::cutLog(int64_t step) const {
  auto text = readAll(folder + "/log.jsonl");
  if (!text)
    return text.error();
  std::string kept;
  for (size_t begin = 0, end; (end = text->find('\n', begin)) != std::string::npos;
       begin = end + 1) {
    std::string line = text->substr(begin, end - begin + 1);
    Json read = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!read.is_object() || read.value("step", int64_t(0)) > step ||
        read.value("kind", "") == "end")
      continue;
    kept += line;
  }
  return writeText(folder + "/log.jsonl", kept);
}

std::string RunFolder::checkpointPath(int64_t step) const {
  return fmt::format("{}/checkpoints/{:06}.safetensors", folder, step);
}

Result<void> RunFolder::writeCheckpoint(const RunState &state, const Parameters &parameters,
                                        const StateReader &read) const {
  std::vector<NamedTensor> tensors;
  append(tensors, "", parameters, StatePart::Weights, read);
  append(tensors, kFirst, parameters, StatePart::First, read);
  append(tensors, kSecond, parameters, StatePart::Second, read);
  std::string path = checkpointPath(state.step);
  if (Result<void> written = writeSafetensors(path, tensors, {{"format", "pt"}}); !written)
    return written;
  Json json = {{"step", state.step}};
  json.update(state.more);
  return writeText(fs::path(path).replace_extension(".json").string(), json.dump(2) + "\n");
}

Result<void> RunFolder::writeBest(const Parameters &parameters, const StateReader &read,
                                  int64_t step) const {
  std::vector<NamedTensor> tensors;
  append(tensors, "", parameters, StatePart::Weights, read);
  return writeSafetensors(bestPath(), tensors,
                          {{"format", "pt"}, {"step", fmt::format("{}", step)}});
}

Result<std::optional<RunState>> RunFolder::lastCheckpoint() const {
  std::optional<RunState> last;
  std::error_code failure;
  for (const auto &entry : fs::directory_iterator(folder + "/checkpoints", failure)) {
    if (entry.path().extension() != ".json")
      continue;
    std::string stem = entry.path().stem().string();
    int64_t step = 0;
    auto [end, wrong] = std::from_chars(stem.data(), stem.data() + stem.size(), step);
    if (wrong != std::errc() || (last && last->step >= step))
      continue;
    auto text = readAll(entry.path().string());
    if (!text)
      return text.error();
    Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object() || json.value("step", int64_t(-1)) != step)
      return inputError(fmt::format("{}: is not the state of a run", entry.path().string()));
    last = RunState{step, std::move(json)};
  }
  return last;
}

Result<void> readParameters(const std::string &path, const Parameters &parameters,
                            std::span<float> weights, std::span<float> first,
                            std::span<float> second) {
  auto file = SafetensorsFile::open(path);
  if (!file)
    return file.error();
  for (auto [prefix, into] : {std::pair{"", weights}, {kFirst, first}, {kSecond, second}}) {
    if (into.empty())
      continue;
    for (const Parameter &each : parameters.all()) {
      auto found = file->tensors().find(prefix + each.name);
      if (found == file->tensors().end())
        return inputError(
            fmt::format("{}: expected a tensor '{}{}', found none", path, prefix, each.name));
      if (static_cast<int64_t>(found->second.elements) != each.size())
        return inputError(fmt::format("{}: expected {} elements in '{}{}', found {}", path,
                                      each.size(), prefix, each.name, found->second.elements));
      auto part = into.subspan(static_cast<size_t>(each.offset), static_cast<size_t>(each.size()));
      if (Result<void> read = file->read(found->second, part); !read)
        return read;
    }
  }
  return {};
}

} // namespace sparsec
