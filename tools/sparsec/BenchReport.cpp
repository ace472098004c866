#include "tools/sparsec/BenchReport.h"

#include <algorithm>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <map>

namespace sparsec::cli {
namespace {

using Json = nlohmann::ordered_json;

/// What every row is compared with: nothing where it was not measured.
struct Yardsticks {
  std::map<std::string, const Measured *> dense; ///< by operation
  const Measured *peak = nullptr;

  explicit Yardsticks(const std::vector<Measured> &rows) {
    for (const Measured &row : rows) {
      if (!peak && row.contestant.kind == ContestantKind::Peak)
        peak = &row;
      if (row.contestant.kind == ContestantKind::Kernel && row.contestant.pattern == "dense")
        dense.try_emplace(row.contestant.operation, &row);
    }
  }
  std::optional<double> fractionOfPeak(const Measured &row) const {
    if (!peak)
      return std::nullopt;
    return row.computedGflops() / peak->computedGflops();
  }
  std::optional<double> overDense(const Measured &row) const {
    auto found = dense.find(row.contestant.operation);
    if (found == dense.end())
      return std::nullopt;
    return found->second->timing.medianMs / row.timing.medianMs;
  }
};

Json orNull(const std::optional<double> &value) {
  return value ? Json(*value) : Json(nullptr);
}

Json json(const Measured &row, const BenchReport &report, const Yardsticks &yardsticks) {
  const ForwardProblem &problem = report.problem;
  const Contestant &one = row.contestant;
  Json out = {{"pattern", one.pattern}};
  for (const auto &[param, value] : one.params)
    out["params"][param] = value;
  if (!one.layers.empty())
    out["layers"] = one.layers;
  out.update({{"kind", name(one.kind)},
              {"operation", one.operation},
              {"n", problem.shape.n},
              {"batch", problem.shape.batch},
              {"heads", problem.shape.heads},
              {"kv_heads", problem.shape.kvHeads},
              {"head_dim", problem.headDim},
              {"value_dim", problem.valueDim},
              {"dtype", name(problem.dtype)},
              {"threads", report.threads ? Json(*report.threads) : Json(nullptr)},
              {"median_ms", row.timing.medianMs},
              {"low_ms", row.timing.lowMs},
              {"high_ms", row.timing.highMs},
              {"samples", row.timing.samples},
              {"calls_per_sample", row.timing.callsPerSample},
              {"gflops_live", row.liveGflops()},
              {"gflops_computed", row.computedGflops()},
              {"fraction_of_peak", orNull(yardsticks.fractionOfPeak(row))},
              {"speedup_over_dense", orNull(yardsticks.overDense(row))},
              {"ideal_speedup", orNull(one.ideal)},
              {"predicted_ms", orNull(one.predicted)},
              {"compile_ms", orNull(one.compileMs)},
              {"reuse_us", orNull(one.reuseUs)}});
  return out;
}

/// GFLOP/s with digits enough to compare.
std::string rate(double gflops) {
  return gflops < 1000 ? fmt::format("{:.1f}", gflops) : grouped(static_cast<int64_t>(gflops));
}

std::string times(const std::optional<double> &value) {
  return value ? fmt::format("{:.2f}x", *value) : "-";
}

/// Names of the parameters that differ between rows.
std::vector<std::string> sweptOf(const std::vector<BenchReport> &reports) {
  std::vector<std::string> names;
  for (const BenchReport &report : reports)
    for (const Measured &row : report.rows)
      for (const auto &[name, value] : row.contestant.params)
        if (std::ranges::find(names, name) == names.end())
          names.push_back(name);
  return names;
}

/// What a table has of a row where some row of it has anything.
struct Shown {
  std::vector<std::string> params;
  bool operations = false, layers = false, peak = false, predicted = false;

  explicit Shown(const std::vector<BenchReport> &reports)
      : params(sweptOf(reports)), operations(reports.front().operations.size() > 1) {
    for (const BenchReport &report : reports)
      for (const Measured &row : report.rows) {
        layers |= !row.contestant.layers.empty();
        peak |= row.contestant.kind == ContestantKind::Peak;
        predicted |= row.contestant.predicted.has_value();
      }
  }

  std::vector<Table::Column> columns() const {
    std::vector<Table::Column> all = {{"pattern"}};
    for (const std::string &param : params)
      all.push_back({param, Table::Right});
    if (operations)
      all.push_back({"operation"});
    if (layers)
      all.push_back({"layer"});
    for (const char *name : {"n", "ms", "quartiles", "GFLOP/s live", "computed"})
      all.push_back({name, Table::Right});
    if (peak)
      all.push_back({"of peak", Table::Right});
    for (const char *name : {"over dense", "ideal"})
      all.push_back({name, Table::Right});
    if (predicted)
      all.push_back({"predicted ms", Table::Right});
    return all;
  }

  std::vector<std::string> cells(const Measured &row, const BenchReport &report,
                                 const Yardsticks &yardsticks) const {
    const Contestant &one = row.contestant;
    std::vector<std::string> all = {one.pattern};
    for (const std::string &param : params) {
      auto own = std::ranges::find(one.params, param, &std::pair<std::string, int64_t>::first);
      all.push_back(own == one.params.end() ? "-" : fmt::format("{}", own->second));
    }
    if (operations)
      all.push_back(one.operation);
    if (layers)
      all.push_back(one.layers.empty() ? "-" : abbreviated(one.layers));
    all.insert(all.end(),
               {grouped(report.problem.shape.n), fmt::format("{:.4f}", row.timing.medianMs),
                fmt::format("{:.4f} .. {:.4f}", row.timing.lowMs, row.timing.highMs),
                rate(row.liveGflops()), rate(row.computedGflops())});
    if (peak)
      all.push_back(fmt::format("{:.1f} %", 100 * *yardsticks.fractionOfPeak(row)));
    all.push_back(times(yardsticks.overDense(row)));
    all.push_back(times(one.ideal));
    if (predicted)
      all.push_back(one.predicted ? fmt::format("{:.4f}", *one.predicted) : "-");
    return all;
  }
};

std::string table(const std::vector<BenchReport> &reports, const Style &style) {
  Shown shown(reports);
  Table table(shown.columns());
  for (const BenchReport &report : reports) {
    Yardsticks yardsticks(report.rows);
    for (const Measured &row : report.rows)
      table.add(shown.cells(row, report, yardsticks));
  }
  return table.render(style);
}

} // namespace

Json json(const std::vector<BenchReport> &reports) {
  Json rows = Json::array();
  for (const BenchReport &report : reports) {
    Yardsticks yardsticks(report.rows);
    for (const Measured &row : report.rows)
      rows.push_back(json(row, report, yardsticks));
  }
  const BenchReport &first = reports.front();
  Json out = {{"device", first.device}, {"description", first.description}};
  if (!first.peak.empty())
    out["peak"] = first.peak;
  if (!first.blas.empty())
    out["openblas"] = first.blas;
  out["rows"] = rows;
  return out;
}

std::string text(const std::vector<BenchReport> &reports, const Style &style) {
  const BenchReport &report = reports.front();
  const ForwardProblem &problem = report.problem;
  std::string lines =
      fmt::format("device: {}, {}\n{}, {}, head dim {}", report.device, report.description,
                  fmt::join(report.operations, " and "), name(problem.dtype), problem.headDim);
  if (problem.valueDim != problem.headDim)
    lines += fmt::format(", value dim {}", problem.valueDim);
  lines += fmt::format(", batch {}, {} ({} kv)", problem.shape.batch,
                       counted(problem.shape.heads, "head"), problem.shape.kvHeads);
  if (report.threads)
    lines += ", " + counted(*report.threads, "thread");
  if (!report.peak.empty())
    lines += "\npeak: " + report.peak;
  if (!report.blas.empty())
    lines += "\nbaseline: " + report.blas;
  return lines + "\n\n" + table(reports, style);
}

} // namespace sparsec::cli
