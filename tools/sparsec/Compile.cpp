// sparsec PATTERN: compiles a pattern to a folder of kernels, and says what it made.
#include "codegen/Compiler.h"
#include "layout/Parallel.h"
#include "tools/sparsec/BuildLaunches.h"
#include "tools/sparsec/Command.h"
#include "tools/sparsec/OperationFlag.h"
#include "tools/sparsec/OutputFolder.h"
#include "tools/sparsec/Progress.h"
#include "tools/sparsec/TargetFlag.h"

#include <bit>
#include <chrono>
#include <fmt/core.h>
#include <set>

namespace sparsec::cli {
namespace {

constexpr int64_t kCountedAt = 4096; ///< n of the summary when none is given

struct CompileOptions {
  PatternFlags pattern;
  std::vector<Target> targets;
  std::string out;
  bool cubin = false;
};

std::string readTargets(const std::string &text, std::vector<Target> &targets) {
  size_t begin = 0;
  while (begin <= text.size()) {
    size_t end = std::min(text.find(',', begin), text.size());
    std::string each = text.substr(begin, end - begin);
    Target target;
    if (std::string wrong = readTarget(each, target); !wrong.empty())
      return wrong;
    for (const Target &known : targets)
      if (known.name == each)
        return fmt::format("{} is given twice", each);
    targets.push_back(std::move(target));
    begin = end + 1;
  }
  return "";
}

using Job = std::function<Result<void>()>;

/// Runs the jobs on some threads; the first error in their order, if there is one.
Result<void> inParallel(int threads, const std::vector<Job> &jobs) {
  std::vector<Result<void>> results(jobs.size());
  sparsec::inParallel(threads, std::ssize(jobs), [&](int64_t i) { results[i] = jobs[i](); });
  for (Result<void> &result : results)
    if (!result)
      return result;
  return {};
}

Result<void> compileRequest(const PlannedRequest &planned, const Assemblers &assemblers, bool cubin,
                            BuiltRequest &built) {
  auto kernels = compile(planned.request);
  if (!kernels)
    return kernels.error();
  built = {&planned, std::move(*kernels), {}};
  if (!cubin || built.isHost())
    return {};
  auto assembled = assemblers.assemble(built.first().code, built.first().target.name);
  if (!assembled)
    return assembled.error();
  built.cubin = std::move(*assembled);
  return {};
}

/// Kernels, what their launches need, and what the summary counts, side by side: at a million
/// tokens the counts take as long as a kernel.
Result<void> buildAll(const Session &session, const CompileOptions &options, int64_t n,
                      Build &build, Result<std::vector<LayerReport>> &layers) {
  const auto &planned = build.plan->requests;
  Assemblers assemblers;
  if (options.cubin)
    assemblers = Assemblers::open(AssemblerSearch::fromEnvironment());
  build.requests.resize(planned.size());
  Progress progress(session, "compiling", static_cast<int64_t>(planned.size()));
  std::vector<Job> jobs;
  for (size_t i = 0; i < planned.size(); ++i)
    jobs.push_back([&, i] {
      auto compiled = compileRequest(planned[i], assemblers, options.cubin, build.requests[i]);
      progress.step();
      return compiled;
    });
  if (build.plan->loaded.n)
    jobs.push_back([&] { return buildLaunches(build, build.plan->loaded.at(n)); });
  jobs.push_back([&]() -> Result<void> {
    layers = reportLayers(*build.plan, n);
    return layers ? Result<void>() : Result<void>(layers.error());
  });
  return inParallel(session.threads, jobs);
}

std::string_view bytesOf(const std::vector<int32_t> &values) {
  static_assert(std::endian::native == std::endian::little, "tables are little-endian files");
  return {reinterpret_cast<const char *>(values.data()), values.size() * sizeof(int32_t)};
}

Result<void> writeFolder(OutputFolder &folder, const Build &build) {
  std::vector<std::pair<std::string, std::string_view>> files;
  for (const BuiltRequest &built : build.requests) {
    files.emplace_back(built.codeFile(), built.first().code);
    if (built.isHost())
      files.emplace_back(built.objectFile(), built.first().object);
    if (built.cubin)
      files.emplace_back(built.cubinFile(), built.cubin->image);
  }
  std::set<std::string> written; // launches share them
  auto add = [&](const std::string &name, const std::vector<int32_t> &numbers) {
    if (written.insert(name).second)
      files.emplace_back(name, bytesOf(numbers));
  };
  for (const BuiltLaunch &launch : build.launches)
    for (const Kernel &kernel : build.requests[launch.request].kernels)
      for (const auto &[key, numbers] : build.numbers[launch.numbers].files(kernel))
        add(fmt::format("{}.{}.i32", build.numbers[launch.numbers].stem, key), *numbers);
  for (const BuiltLaunch &launch : build.launches)
    if (!launch.groups.empty())
      add(launch.groupsFile, launch.groups);
  std::string json = manifest(build).dump(2) + "\n";
  std::string header = cHeader(build);
  files.emplace_back("manifest.json", json);
  files.emplace_back(headerFile(build.plan->loaded.pattern.name), header);
  for (const auto &[name, contents] : files)
    if (auto added = folder.add(name, contents); !added)
      return added;
  return folder.publish();
}

std::string cubinTable(const Build &build, const Style &style) {
  if (std::ranges::none_of(build.requests, [](const BuiltRequest &built) { return !!built.cubin; }))
    return "";
  Table table({{"cubin"}, {"by"}, {"registers", Table::Right}, {"spills", Table::Right}});
  std::string concerns;
  for (const BuiltRequest &built : build.requests) {
    if (!built.cubin)
      continue;
    const AssembleReport &report = built.cubin->report;
    int spills = report.spillStores + report.spillLoads;
    table.add({built.cubinFile(), built.cubin->assembler, fmt::format("{}", report.registers),
               spills ? fmt::format("{} B", spills) : "none"});
    for (const auto *lines : {&report.warnings, &report.concerns})
      for (const std::string &line : *lines)
        concerns += fmt::format("{}: {}\n", built.cubinFile(), line);
  }
  return "\n" + table.render(style) + style.bad(concerns);
}

std::string fileTable(const OutputFolder &folder, const std::string &out, double duration,
                      const Style &style) {
  uint64_t bytes = 0;
  std::string lines;
  for (const OutputFolder::File &file : folder.files())
    bytes += file.bytes;
  size_t width = 0;
  for (const OutputFolder::File &file : folder.files())
    width = std::max(width, file.name.size());
  for (const OutputFolder::File &file : folder.files())
    lines += fmt::format("  {:<{}}  {:>8}\n", file.name, width, fileSize(file.bytes));
  return fmt::format("\nwrote {}: {}, {}, in {}\n{}", style.bold(out),
                     counted(folder.files().size(), "file"), fileSize(bytes), seconds(duration),
                     lines);
}

std::string heading(const Plan &plan, int64_t n, const Style &style) {
  const Pattern &pattern = plan.loaded.pattern;
  std::string params;
  for (const auto &[name, value] : pattern.params)
    params += fmt::format(" {}={}", name, value);
  std::string dims = plan.headDim == plan.valueDim
                         ? fmt::format("head dim {}", plan.headDim)
                         : fmt::format("head dim {}, value dim {}", plan.headDim, plan.valueDim);
  std::string heads = counted(plan.loaded.heads, "head");
  if (plan.loaded.kvHeads != plan.loaded.heads)
    heads += fmt::format(" ({} of keys and values)", plan.loaded.kvHeads);
  return fmt::format("{}{}: {}, {}, {}; counted at {}\n\n", style.bold(pattern.name), params,
                     name(plan.dtype), dims, heads, plan.loaded.at(n).text());
}

Result<Answer> compilePattern(Session &session, const CompileOptions &options) {
  auto start = std::chrono::steady_clock::now();
  if (options.cubin && std::ranges::all_of(options.targets, [](const Target &target) {
        return target.kind() == TargetKind::Cpu;
      }))
    return inputError("--cubin: none of the targets is a GPU");
  std::optional<Progress> progress(std::in_place, session, "planning");
  Ledger ledger(session.threads);
  auto plan = makePlan(options.pattern, options.targets, ledger);
  progress.reset();
  if (!plan)
    return plan.error();
  std::string out = options.out.empty()
                        ? fmt::format("./{}.kernels", identifier(plan->loaded.pattern.name))
                        : options.out;
  auto folder = OutputFolder::open(out, "kernels", session.interrupts);
  if (!folder)
    return folder.error();

  Build build{.plan = &*plan};
  int64_t n = plan->loaded.n.value_or(kCountedAt);
  Result<std::vector<LayerReport>> layers = std::vector<LayerReport>();
  if (auto did = buildAll(session, options, n, build, layers); !did)
    return did.error();
  warnOfEmpty(*layers);
  if (auto written = writeFolder(*folder, build); !written)
    return written.error();

  double duration = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (session.json) {
    auto files = nlohmann::ordered_json::array();
    for (const OutputFolder::File &file : folder->files())
      files.push_back({{"name", file.name}, {"bytes", file.bytes}});
    nlohmann::ordered_json report = {
        {"pattern", plan->loaded.pattern.name}, {"out", out}, {"n", n}};
    addLayers(report, *layers);
    report["files"] = files;
    report["seconds"] = duration;
    fmt::print("{}\n", report.dump(2));
    return Answer::Yes;
  }
  session.report(
      heading(*plan, n, session.style) + table(*layers, session.style) +
      fmt::format(
          "\nsaved: of the block products of dense causal attention; predicted: on {}, by the "
          "cost model\n",
          options.targets.front().name) +
      cubinTable(build, session.style) + fileTable(*folder, out, duration, session.style));
  return Answer::Yes;
}

} // namespace

Action declareCompile(Options &options) {
  auto asked = std::make_shared<CompileOptions>();
  declarePatternFlags(options, asked->pattern);
  declareLayerFlag(options, asked->pattern);
  options.heading("Compile");
  options.value("--target", "NAMES", listed(targetNames()) + ", comma-separated (sm_80)",
                [asked](const std::string &text) { return readTargets(text, asked->targets); });
  asked->pattern.operations = patternOperations();
  declareOperationFlag(options, asked->pattern.operations, askedOperations());
  options.flag("--cubin", "machine code too (needs NVRTC or ptxas)", asked->cubin);
  options.value("-o,--out", "DIR", "folder to write (./NAME.kernels), replaced whole",
                [asked](const std::string &text) {
                  asked->out = text;
                  return text.empty() ? "expected a folder" : "";
                });
  return [asked](Session &session) {
    if (asked->targets.empty())
      asked->targets.push_back(*findTarget("sm_80"));
    return compilePattern(session, *asked);
  };
}

} // namespace sparsec::cli
