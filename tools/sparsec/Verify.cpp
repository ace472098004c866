// sparsec verify [PATTERN]: runs the kernels on a device and compares them with the reference.
// Operations that no pattern is about are verified once, with or without a PATTERN.
#include "tools/verify/Verify.h"

#include "codegen/Compiler.h"
#include "tools/sparsec/Command.h"
#include "tools/sparsec/DeviceFlag.h"
#include "tools/sparsec/OperationFlag.h"
#include "tools/sparsec/Plan.h"
#include "tools/sparsec/Progress.h"

#include <cmath>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <set>

namespace sparsec::cli {
namespace {

struct VerifyOptions {
  PatternFlags pattern;
  std::string device;
  std::string target; ///< what the device runs, when empty
  bool full = false;
  bool chosen = false;                  ///< --op says which operations
  bool oneCase = false;                 ///< a flag says which sizes or types to run
  std::optional<int64_t> rows, columns; ///< of operations on matrices

  bool hasPattern() const { return !pattern.pattern.empty() || pattern.hasExpression; }
  std::vector<const VerifyOperation *> operations() const {
    std::vector<const VerifyOperation *> found;
    for (const std::string &name : pattern.operations)
      found.push_back(findVerifyOperation(verifyOperations(), name));
    return found;
  }
};

/// What is verified together: a layer's heads, or what is about no pattern.
struct Part {
  Layer layer; ///< without indices: of no layer
  Pattern pattern;
  std::vector<VerifyCase> cases;
};

/// What was found of a part.
struct LayerRows {
  Layer layer;
  std::vector<VerifyRow> rows;
};

/// What the flags say about the cases.
CaseFlags caseFlags(const VerifyOptions &options, const LoadedPattern &loaded, const Target &target,
                    uint64_t seed) {
  const PatternFlags &flags = options.pattern;
  using enum CaseFlags::Set;
  return {.set = options.oneCase ? One
                 : options.full  ? Full
                                 : Default,
          .seed = seed,
          .n = loaded.n, // a table's, where it is not asked for
          .nq = loaded.nq,
          .q0 = loaded.q0,
          .dtype = flags.dtype.value_or(defaultDType(target)),
          .headDim = static_cast<int>(flags.headDim),
          .valueDim = static_cast<int>(flags.valueDim.value_or(flags.headDim)),
          .heads = loaded.heads,
          .kvHeads = loaded.kvHeads,
          .headsAsked = flags.heads || flags.kvHeads,
          .valueDimAsked = flags.valueDim.has_value(),
          .rows = options.rows,
          .columns = options.columns,
          .block = flags.block};
}

/// Each layer as a pattern of its own, whose heads take the layer's entries in turn; last the
/// operations that are about none.
std::vector<Part> partsOf(const VerifyOptions &options, const LoadedPattern &loaded,
                          const CaseFlags &flags) {
  std::vector<Part> parts;
  if (options.hasPattern())
    for (const Layer &layer : loaded.layers)
      parts.push_back({layer, patternOf(loaded.pattern, layer), {}});
  parts.emplace_back();
  for (const VerifyOperation *operation : options.operations()) {
    bool ofPattern = options.hasPattern() && operation->pattern != PatternUse::None;
    for (Part &part : parts)
      if (ofPattern == (&part != &parts.back()) &&
          (!ofPattern || options.chosen || !operation->takes || operation->takes(part.pattern)))
        std::ranges::move(operation->cases(part.pattern, flags), std::back_inserter(part.cases));
  }
  std::erase_if(parts, [](const Part &part) { return part.cases.empty(); });
  return parts;
}

nlohmann::ordered_json json(const VerifyRow &row) {
  const VerifyCase &c = row.testCase;
  // JSON has no infinity: a kernel that did not run has no error.
  nlohmann::ordered_json error = row.error;
  if (!std::isfinite(row.error))
    error = nullptr;
  nlohmann::ordered_json out = {{"operation", row.operation},
                                {"output", row.output},
                                {"head", row.head},
                                {"dtype", name(c.dtype())}};
  for (const auto &[size, value] : c.sizes())
    out[std::string(size)] = value;
  out["case"] = c.text();
  out["error"] = error;
  out["bound"] = row.bound;
  out["passed"] = row.passed;
  if (!row.detail.empty())
    out["detail"] = row.detail;
  return out;
}

std::set<std::string_view> operationsOf(const std::vector<LayerRows> &layers) {
  std::set<std::string_view> names;
  for (const LayerRows &layer : layers)
    for (const VerifyRow &row : layer.rows)
      names.insert(row.operation);
  return names;
}

/// What is to be known of their bounds.
std::string notes(const std::set<std::string_view> &operations) {
  std::string text;
  for (std::string_view each : operations)
    if (const VerifyOperation *found = findVerifyOperation(verifyOperations(), each);
        found && !found->note.empty())
      text += fmt::format("\n{}\n", found->note);
  return text;
}

/// A line for each output: error and bound.
std::string reportTable(const std::vector<LayerRows> &layers, const Style &style) {
  std::vector<Table::Column> columns = {
      {"head"}, {"output"}, {"error", Table::Right}, {"bound", Table::Right}, {""}, {"case"}};
  std::set<std::string_view> operations = operationsOf(layers);
  bool several = layers.size() > 1, severalOperations = operations.size() > 1;
  if (severalOperations)
    columns.insert(columns.begin() + 1, {"op"});
  if (several)
    columns.insert(columns.begin(), {"layer"});
  Table table(columns);
  std::string details;
  for (const auto &[layer, rows] : layers)
    for (const VerifyRow &row : rows) {
      std::vector<std::string> cells = {row.head,
                                        row.output,
                                        fmt::format("{:.1e}", row.error),
                                        fmt::format("{:.1e}", row.bound),
                                        row.passed ? "ok" : "FAILED",
                                        row.testCase.text()};
      if (severalOperations)
        cells.insert(cells.begin() + 1, row.operation);
      if (several)
        cells.insert(cells.begin(), abbreviated(layer.indices));
      table.add(std::move(cells));
      if (!row.detail.empty())
        details += fmt::format("\n{} {}, {}:\n  {}\n", row.head, row.output, row.testCase.text(),
                               row.detail);
    }
  return table.render(style) + notes(operations) + style.bad(details);
}

Result<std::vector<LayerRows>> run(const Session &session, const VerifyOptions &options,
                                   const LoadedPattern &loaded, Device &device,
                                   const Target &target) {
  CaseFlags flags = caseFlags(options, loaded, target, session.seed);
  std::vector<Part> parts = partsOf(options, loaded, flags);
  size_t all = 0;
  for (const Part &part : parts)
    all += part.cases.size();
  Progress progress(session, "verifying", static_cast<int64_t>(all));
  std::vector<LayerRows> found;
  for (const Part &part : parts) {
    Verifier verifier({device, part.pattern, target, compile});
    found.push_back({part.layer, {}});
    for (const VerifyCase &each : part.cases) {
      auto more = verifier.run(each);
      if (!more)
        return more.error();
      std::ranges::move(*more, std::back_inserter(found.back().rows));
      progress.step();
    }
  }
  return found;
}

/// The pattern, or none that has the heads of the flags.
Result<LoadedPattern> loadIfGiven(const VerifyOptions &options) {
  if (options.hasPattern())
    return load(options.pattern);
  LoadedPattern none;
  none.heads = static_cast<int>(options.pattern.heads.value_or(1));
  none.kvHeads = static_cast<int>(options.pattern.kvHeads.value_or(none.heads));
  none.n = options.pattern.n;
  return none;
}

Result<Answer> verify(const Session &session, const VerifyOptions &options) {
  auto loaded = loadIfGiven(options);
  if (!loaded)
    return loaded.error();
  auto device = chooseDevice(options.device, {.threads = session.threads});
  if (!device)
    return device.error();
  auto target = chooseTarget(**device, options.target);
  if (!target)
    return target.error();
  session.report(fmt::format("device: {}, {}\n\n", (*device)->name(), (*device)->description()));

  auto layers = run(session, options, *loaded, **device, *target);
  if (!layers)
    return layers.error();
  int64_t passed = 0, outputs = 0;
  for (const auto &[layer, rows] : *layers) {
    passed += std::ranges::count_if(rows, [](const auto &row) { return row.passed; });
    outputs += static_cast<int64_t>(rows.size());
  }
  bool all = passed == outputs && outputs > 0;
  if (session.json) {
    auto list = nlohmann::ordered_json::array();
    for (const auto &[layer, rows] : *layers)
      for (const VerifyRow &row : rows) {
        list.push_back(json(row));
        if (layers->size() > 1 && !layer.indices.empty())
          list.back()["layers"] = layer.indices;
      }
    nlohmann::ordered_json report = {{"device", (*device)->name()},
                                     {"description", (*device)->description()},
                                     {"target", target->name},
                                     {"passed", all},
                                     {"cases", list}};
    fmt::print("{}\n", report.dump(2));
  } else {
    session.report(reportTable(*layers, session.style));
    fmt::print("{}{}: {} of {} outputs within the bound\n", session.quiet ? "" : "\n",
               all ? session.style.good("passed") : session.style.bad("failed"), passed, outputs);
  }
  return all ? Answer::Yes : Answer::No;
}

} // namespace

Action declareVerify(Options &options) {
  auto asked = std::make_shared<VerifyOptions>();
  declarePatternFlags(options, asked->pattern, [asked] {
    return std::ranges::any_of(asked->operations(), [](const VerifyOperation *operation) {
      return operation->pattern == PatternUse::Needed;
    });
  });
  declareLayerFlag(options, asked->pattern);
  options.heading("Verify");
  std::vector<std::string> more; // about no pattern, or not about one alone
  for (const VerifyOperation &operation : verifyOperations())
    (operation.pattern == PatternUse::Needed ? asked->pattern.operations : more)
        .emplace_back(operation.name);
  declareOperationFlag(options, asked->pattern.operations, more);
  declareDeviceFlag(options, asked->device);
  options.choice("--target", "TARGET", listed(targetNames()) + " (what the device runs)",
                 asked->target, targetNames());
  options.integer("--rows", "of operations on matrices", asked->rows, {0, INT32_MAX});
  options.integer("--columns", "likewise", asked->columns, {1, 1 << 20});
  options.flag("--full", "the whole matrix of types and sizes", asked->full);
  return [asked, &options](Session &session) -> Result<Answer> {
    asked->chosen = options.given({"--op"});
    asked->oneCase = options.given({"-n", "--nq", "--q0", "--heads", "--kv-heads", "--head-dim",
                                    "--value-dim", "--dtype", "--block", "--rows", "--columns"});
    if (asked->oneCase && asked->full)
      return inputError(
          "--full runs every size and type: it takes no -n, --nq, --q0, --heads, --kv-heads, "
          "--head-dim, --value-dim, --dtype, --block, --rows or --columns");
    if (asked->hasPattern() &&
        std::ranges::all_of(asked->operations(), [](const VerifyOperation *operation) {
          return operation->pattern == PatternUse::None;
        }))
      return inputError(
          fmt::format("--op {}: no pattern is about it, so it takes no PATTERN and no -e",
                      asked->pattern.operations.front()));
    return verify(session, *asked);
  };
}

} // namespace sparsec::cli
