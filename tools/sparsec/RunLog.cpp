#include "tools/sparsec/RunLog.h"

#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <sstream>

namespace sparsec::cli {

namespace {

Result<std::string> textOf(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  if (!file)
    return inputError(fmt::format("{}: cannot be read", path));
  return text.str();
}

} // namespace

std::vector<std::pair<int64_t, double>> RunLog::values(const std::vector<Json> &lines,
                                                       const std::string &key) {
  std::vector<std::pair<int64_t, double>> found;
  for (const Json &line : lines)
    if (line.contains(key) && line[key].is_number() && line.contains("step"))
      found.emplace_back(line["step"].get<int64_t>(), line[key].get<double>());
  return found;
}

std::optional<double> RunLog::bestBits() const {
  std::optional<double> best;
  for (auto [step, bits] : values(valid, "valid_bits"))
    best = best ? std::min(*best, bits) : bits;
  return best;
}

int64_t RunLog::steps() const {
  return train.empty() ? 0 : train.back().value("step", int64_t(0));
}

int64_t RunLog::tokens() const {
  return train.empty() ? 0 : train.back().value("tokens", int64_t(0));
}

double RunLog::stepMilliseconds() const {
  double sum = 0, count = 0;
  int64_t before = 0;
  for (auto [step, milliseconds] : values(train, "step_ms")) {
    if (before > 0) {
      sum += milliseconds * static_cast<double>(step - before);
      count += static_cast<double>(step - before);
    }
    before = step;
  }
  return count > 0 ? sum / count : 0;
}

Result<RunLog> readRunLog(const std::string &path) {
  auto folder = RunFolder::open(path);
  if (!folder)
    return folder.error();
  RunLog log;
  log.path = path;
  std::string lines;
  for (auto [name, into] : {std::pair{"config.yaml", &log.config},
                            {"pattern.yaml", &log.pattern},
                            {"log.jsonl", &lines}}) {
    auto text = textOf(path + "/" + name);
    if (!text)
      return text.error();
    *into = std::move(*text);
  }
  std::istringstream each(lines);
  int64_t number = 0;
  for (std::string text; std::getline(each, text);) {
    ++number;
    Json line = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!line.is_object()) {
      if (each.eof()) // the run may be writing it
        break;
      return inputError(fmt::format("{}/log.jsonl:{}: expected a line of JSON", path, number));
    }
    std::string kind = line.value("kind", "");
    if (kind == "start")
      log.start = line;
    else if (kind == "train")
      log.train.push_back(line);
    else if (kind == "valid")
      log.valid.push_back(line);
    else if (kind == "end")
      log.end = line;
  }
  return log;
}

bool isRun(const std::string &path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored) && static_cast<bool>(RunFolder::open(path));
}

} // namespace sparsec::cli
