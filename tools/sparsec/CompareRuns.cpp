#include "tools/sparsec/CompareRuns.h"

#include <fmt/format.h>
#include <set>
#include <sstream>

namespace sparsec::cli {

namespace {

struct Difference {
  std::string what;
  std::vector<std::string> values; ///< by run
};

/// A config's lines as "train.seed" and "1". Configs of runs have every key, one a line.
std::map<std::string, std::string> keysOf(const std::string &config) {
  std::map<std::string, std::string> keys;
  std::istringstream text(config);
  std::string section;
  for (std::string line; std::getline(text, line);) {
    size_t colon = line.find(':');
    if (colon == std::string::npos)
      continue;
    bool inner = line.starts_with("  ");
    std::string key = line.substr(inner ? 2 : 0, colon - (inner ? 2 : 0));
    std::string value = colon + 2 <= line.size() ? line.substr(colon + 2) : "";
    if (!inner && value.empty())
      section = key;
    else
      keys[inner ? section + "." + key : key] = value;
  }
  return keys;
}

/// The pattern is what is compared; what a run is called says nothing.
bool isCompared(const std::string &key) {
  return key == "name" || key.starts_with("attention.");
}

std::string shortHash(const Json &start) {
  std::string all;
  if (start.is_object() && start.contains("data"))
    for (const Json &each : start["data"])
      all += (all.empty() ? "" : " ") + each.value("sha256", "").substr(0, 12);
  return all;
}

std::string textOf(const Json &start, const std::string &key) {
  if (!start.is_object() || !start.contains(key))
    return "unknown";
  return start[key].is_string() ? start[key].get<std::string>() : start[key].dump();
}

std::vector<Difference> differencesOf(const std::vector<RunLog> &runs) {
  std::vector<Difference> all;
  auto add = [&](const std::string &what, const std::vector<std::string> &values) {
    if (std::ranges::any_of(values, [&](const std::string &each) { return each != values[0]; }))
      all.push_back({what, values});
  };
  auto ofEach = [&](auto read) {
    std::vector<std::string> values;
    for (const RunLog &run : runs)
      values.push_back(read(run));
    return values;
  };
  add("data, SHA-256", ofEach([](const RunLog &run) { return shortHash(run.start); }));
  add("tokens trained on", ofEach([](const RunLog &run) { return grouped(run.tokens()); }));
  for (const char *key : {"parameters", "device", "processes", "version"})
    add(key, ofEach([&](const RunLog &run) { return textOf(run.start, key); }));
  std::vector<std::map<std::string, std::string>> keys;
  std::set<std::string> names;
  for (const RunLog &run : runs) {
    keys.push_back(keysOf(run.config));
    for (const auto &[key, value] : keys.back())
      names.insert(key);
  }
  for (const std::string &key : names) {
    if (isCompared(key))
      continue;
    std::vector<std::string> values;
    for (auto &each : keys)
      values.push_back(each.contains(key) ? each[key] : "absent");
    add(key, values);
  }
  return all;
}

std::string patternOf(const RunLog &run) {
  auto keys = keysOf(run.config);
  std::string params = keys["attention.params"];
  return keys["attention.pattern"] + (params == "{}" ? "" : " " + params);
}

std::string bits(std::optional<double> value) {
  return value ? fmt::format("{:.4f}", *value) : "-";
}

std::optional<double> lastBits(const std::vector<Json> &lines, const std::string &key) {
  auto values = RunLog::values(lines, key);
  if (values.empty())
    return std::nullopt;
  return values.back().second;
}

Json jsonOf(const RunLog &run) {
  auto number = [](std::optional<double> value) { return value ? Json(*value) : Json(); };
  return {{"run", run.path},
          {"pattern", patternOf(run)},
          {"steps", run.steps()},
          {"tokens", run.tokens()},
          {"bits", number(lastBits(run.train, "bits"))},
          {"valid_bits", number(lastBits(run.valid, "valid_bits"))},
          {"best_valid_bits", number(run.bestBits())},
          {"step_ms", run.stepMilliseconds()},
          {"tokens_per_second", number(lastBits(run.train, "tokens_per_second"))}};
}

std::string text(const std::vector<RunLog> &runs, const std::vector<Difference> &differences,
                 const Style &style) {
  std::string out = differences.empty() ? "the runs differ in nothing but the pattern\n"
                                        : "beside the pattern these differ:\n";
  for (const Difference &each : differences)
    out += fmt::format("  {:<24}{}\n", each.what, fmt::join(each.values, " | "));
  Table table({{"run"},
               {"pattern"},
               {"steps", Table::Right},
               {"tokens", Table::Right},
               {"bits", Table::Right},
               {"validation", Table::Right},
               {"best", Table::Right},
               {"ms a step", Table::Right},
               {"speed", Table::Right}});
  double first = runs[0].stepMilliseconds();
  for (const RunLog &run : runs) {
    double step = run.stepMilliseconds();
    table.add({run.path, patternOf(run), grouped(run.steps()), grouped(run.tokens()),
               bits(lastBits(run.train, "bits")), bits(lastBits(run.valid, "valid_bits")),
               bits(run.bestBits()), fmt::format("{:.1f}", step),
               step > 0 && first > 0 ? fmt::format("{:.2f}x", first / step) : "-"});
  }
  return out + "\n" + table.render(style);
}

} // namespace

Plot bitsPlot(const std::vector<RunLog> &runs) {
  Plot plot{.title = "bits of a token", .xLabel = "step", .yLabel = "bits", .series = {}};
  for (const RunLog &run : runs)
    for (auto [lines, key, more] :
         {std::tuple{&run.train, "bits", ""}, {&run.valid, "valid_bits", ", valid"}}) {
      Series series{run.path + more, {}};
      for (auto [step, value] : RunLog::values(*lines, key))
        series.points.push_back({static_cast<double>(step), value});
      if (!series.points.empty())
        plot.series.push_back(std::move(series));
    }
  return plot;
}

Result<Answer> compareRuns(const Session &session, const std::vector<std::string> &paths,
                           const std::string &png) {
  std::vector<RunLog> runs;
  for (const std::string &path : paths) {
    auto run = readRunLog(path);
    if (!run)
      return run.error();
    runs.push_back(std::move(*run));
  }
  std::vector<Difference> differences = differencesOf(runs);
  if (session.json) {
    Json differ = Json::array(), rows = Json::array();
    for (const Difference &each : differences)
      differ.push_back({{"what", each.what}, {"values", each.values}});
    for (const RunLog &run : runs)
      rows.push_back(jsonOf(run));
    fmt::print("{}\n", Json{{"differences", differ}, {"runs", rows}}.dump(2));
  } else {
    fmt::print("{}", text(runs, differences, session.style));
  }
  if (!png.empty()) {
    if (auto written = render(bitsPlot(runs)).writePng(png); !written)
      return written.error();
    session.report(fmt::format("wrote {}\n", png));
  }
  return Answer::Yes;
}

} // namespace sparsec::cli
