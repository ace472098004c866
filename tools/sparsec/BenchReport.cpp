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

std::string table(const BenchReport &report, const Yardsticks &yardsticks, const Style &style) {
  bool predicted = std::ranges::any_of(
      report.rows, [](const Measured &row) { return row.contestant.predicted.has_value(); });
  std::vector<Table::Column> columns = {{"pattern"},
                                        {"n", Table::Right},
                                        {"ms", Table::Right},
                                        {"quartiles", Table::Right},
                                        {"GFLOP/s live", Table::Right},
                                        {"computed", Table::Right}};
  if (yardsticks.peak)
    columns.push_back({"of peak", Table::Right});
  columns.push_back({"over dense", Table::Right});
  columns.push_back({"ideal", Table::Right});
  if (predicted)
    columns.push_back({"predicted ms", Table::Right});
  bool layers = std::ranges::any_of(
      report.rows, [](const Measured &row) { return !row.contestant.layers.empty(); });
  if (layers)
    columns.insert(columns.begin() + 1, {"layer"});
  bool operations = report.operations.size() > 1;
  if (operations)
    columns.insert(columns.begin() + 1, {"operation"});
  Table table(columns);
  for (const Measured &row : report.rows) {
    std::vector<std::string> cells = {
        row.contestant.pattern,
        grouped(report.problem.shape.n),
        fmt::format("{:.4f}", row.timing.medianMs),
        fmt::format("{:.4f} .. {:.4f}", row.timing.lowMs, row.timing.highMs),
        rate(row.liveGflops()),
        rate(row.computedGflops())};
    if (yardsticks.peak)
      cells.push_back(fmt::format("{:.1f} %", 100 * *yardsticks.fractionOfPeak(row)));
    cells.push_back(times(yardsticks.overDense(row)));
    cells.push_back(times(row.contestant.ideal));
    if (predicted)
      cells.push_back(row.contestant.predicted ? fmt::format("{:.4f}", *row.contestant.predicted)
                                               : "-");
    if (layers)
      cells.insert(cells.begin() + 1,
                   row.contestant.layers.empty() ? "-" : abbreviated(row.contestant.layers));
    if (operations)
      cells.insert(cells.begin() + 1, row.contestant.operation);
    table.add(std::move(cells));
  }
  return table.render(style);
}

} // namespace

Json json(const BenchReport &report) {
  Yardsticks yardsticks(report.rows);
  Json rows = Json::array();
  for (const Measured &row : report.rows)
    rows.push_back(json(row, report, yardsticks));
  Json out = {{"device", report.device}, {"description", report.description}};
  if (!report.peak.empty())
    out["peak"] = report.peak;
  if (!report.blas.empty())
    out["openblas"] = report.blas;
  out["rows"] = rows;
  return out;
}

std::string text(const BenchReport &report, const Style &style) {
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
  return lines + "\n\n" + table(report, Yardsticks(report.rows), style);
}

} // namespace sparsec::cli
