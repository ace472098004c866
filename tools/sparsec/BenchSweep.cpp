#include "tools/sparsec/BenchSweep.h"

#include "tools/sparsec/Terminal.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <set>

namespace sparsec::cli {
namespace {

constexpr std::string_view kLength = "n"; ///< as an axis

std::vector<std::string> valuesOf(std::string_view text) {
  std::vector<std::string> values;
  for (size_t begin = 0; begin <= text.size();) {
    size_t end = std::min(text.find(',', begin), text.size());
    values.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return values;
}

struct Curve {
  std::string name;
  std::vector<Place> measured, predicted;
  bool spans = false; ///< the axis is none of its own: a level line
};

class Curves {
public:
  explicit Curves(const std::vector<BenchReport> &reports) {
    std::set<int64_t> lengths;
    std::vector<std::string> swept;
    for (const BenchReport &report : reports) {
      lengths.insert(report.problem.shape.n);
      for (const Measured &row : report.rows)
        for (const auto &[name, value] : row.contestant.params)
          if (std::ranges::find(swept, name) == swept.end())
            swept.push_back(name);
    }
    axis = lengths.size() > 1 ? kLength : swept.empty() ? "" : swept.front();
    for (const BenchReport &report : reports)
      for (const Measured &row : report.rows)
        if (std::optional<int64_t> x = axisOf(report, row))
          at.insert(*x);
    for (const BenchReport &report : reports)
      for (const Measured &row : report.rows)
        if (row.contestant.kind == ContestantKind::Kernel)
          add(report, row);
  }

  const std::string &over() const { return axis; }
  const std::set<int64_t> &places() const { return at; }
  const std::vector<Curve> &all() const { return curves; }

private:
  /// Nothing where the row has no such parameter.
  std::optional<int64_t> axisOf(const BenchReport &report, const Measured &row) const {
    if (axis == kLength)
      return report.problem.shape.n;
    for (const auto &[name, value] : row.contestant.params)
      if (name == axis)
        return value;
    return std::nullopt;
  }

  std::string nameOf(const BenchReport &report, const Measured &row) const {
    const Contestant &one = row.contestant;
    std::string name = one.pattern;
    for (const auto &[param, value] : one.params)
      if (param != axis)
        name += fmt::format(" {}={}", param, value);
    if (!one.layers.empty())
      name += fmt::format(" layer {}", fmt::join(one.layers, " "));
    if (report.operations.size() > 1)
      name += " " + one.operation;
    return name;
  }

  void add(const BenchReport &report, const Measured &row) {
    std::string name = nameOf(report, row);
    auto found = std::ranges::find(curves, name, &Curve::name);
    if (found == curves.end())
      found = curves.insert(curves.end(), {.name = name, .measured = {}, .predicted = {}});
    std::optional<int64_t> own = axisOf(report, row);
    for (int64_t x : own ? std::set{*own} : at) {
      found->measured.push_back({static_cast<double>(x), row.timing.medianMs});
      if (row.contestant.predicted)
        found->predicted.push_back({static_cast<double>(x), *row.contestant.predicted});
    }
    found->spans |= !own;
  }

  std::string axis;
  std::set<int64_t> at; ///< values of the axis
  std::vector<Curve> curves;
};

std::string titleOf(const BenchReport &report) {
  const ForwardProblem &problem = report.problem;
  return fmt::format("{} on {}, {}, {}, head dim {}", fmt::join(report.operations, " and "),
                     report.device, name(problem.dtype), counted(problem.shape.heads, "head"),
                     problem.headDim);
}

/// Whether values differ so much that only their ratios can be seen.
bool isWide(double low, double high) {
  constexpr double kWide = 4;
  return low > 0 && high >= kWide * low;
}

} // namespace

Result<std::vector<SweepPoint>> pointsOf(const PatternFlags &flags) {
  std::vector<SweepPoint> points = {{flags, {}}};
  points.front().flags.params.clear();
  for (const std::string &param : flags.params) {
    size_t equals = param.find('=');
    if (equals == std::string::npos || param.find(',', equals) == std::string::npos) {
      for (SweepPoint &point : points)
        point.flags.params.push_back(param);
      continue;
    }
    std::string name = param.substr(0, equals);
    std::vector<SweepPoint> more;
    for (const SweepPoint &point : points)
      for (const std::string &text : valuesOf(std::string_view(param).substr(equals + 1))) {
        int64_t value = 0;
        if (auto wrong = readInteger(text, {INT64_MIN, INT64_MAX}, value); !wrong.empty())
          return inputError(fmt::format("--param {}: {}", name, wrong));
        more.push_back(point);
        more.back().flags.params.push_back(fmt::format("{}={}", name, value));
        more.back().params.emplace_back(name, value);
      }
    points = std::move(more);
  }
  return points;
}

bool isSweep(const PatternFlags &flags) {
  return flags.lengths.size() > 1 ||
         std::ranges::any_of(flags.params, [](const std::string &param) {
           return param.find(',', std::min(param.find('='), param.size())) != std::string::npos;
         });
}

Plot plotOf(const std::vector<BenchReport> &reports) {
  Curves curves(reports);
  bool byLength = curves.over() == kLength;
  const BenchReport &first = reports.front();
  Plot plot{.title = titleOf(first),
            .xLabel = byLength ? "n, keys and queries" : "parameter " + curves.over(),
            .yLabel = "milliseconds",
            .series = {},
            .xTicks = {},
            .note = {}};
  if (!byLength)
    plot.title += fmt::format(", n = {}", grouped(first.problem.shape.n));
  for (int64_t x : curves.places())
    plot.xTicks.push_back({static_cast<double>(x), grouped(x)});
  if (isWide(plot.xTicks.front().at, plot.xTicks.back().at))
    plot.xScale = Plot::Scale::Log;
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (size_t i = 0; i < curves.all().size(); ++i) {
    const Curve &curve = curves.all()[i];
    plot.series.push_back(
        {.name = curve.name, .points = curve.measured, .dots = !curve.spans, .colour = i});
    if (!curve.predicted.empty()) {
      plot.series.push_back(
          {.name = {}, .points = curve.predicted, .line = Series::Line::Dashed, .colour = i});
      plot.note = "solid: measured   dashed: predicted";
    }
  }
  for (const Series &series : plot.series)
    for (const Place &each : series.points)
      low = std::min(low, each.y), high = std::max(high, each.y);
  if (isWide(low, high))
    plot.yScale = Plot::Scale::Log;
  return plot;
}

} // namespace sparsec::cli
