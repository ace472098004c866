// sparsec explain PATTERN: what was decided and why; or, with --after, the text of a stage.
#include "layout/BlockLayout.h"
#include "tools/sparsec/Command.h"
#include "tools/sparsec/HeadReport.h"

#include <fmt/core.h>

namespace sparsec::cli {
namespace {

struct ExplainOptions {
  PatternFlags pattern;
  std::string after;
  std::string target = "sm_80";
};

/// One text for each head or kernel, under its name.
struct Section {
  std::string name;
  std::string text;
};
using Sections = std::vector<Section>;

Result<Sections> layouts(const Plan &plan, int64_t n) {
  Sections sections;
  for (const HeadRow &row : headRows(plan.loaded)) {
    Block block = plan.kernelOf(row.entry).request.block;
    auto layout = BlockLayout::build(
        plan.loaded.pattern.heads[row.entry].attend,
        {.nq = n, .nk = n, .q0 = 0, .h = row.h, .blockQ = block.q, .blockK = block.k});
    if (!layout)
      return layout.error();
    BlockCounts counts = layout->counts();
    sections.push_back(
        {row.name, fmt::format("blocks of {}x{} at n = {}: {} live, {} full, {} partial\n{}",
                               block.q, block.k, n, grouped(counts.live), grouped(counts.full),
                               grouped(counts.partial), layout->print())});
  }
  return sections;
}

std::string entryNames(const Plan &plan, const PlannedKernel &kernel) {
  std::string names;
  for (int entry : kernel.entries)
    names += (names.empty() ? "" : ", ") + plan.loaded.pattern.heads[entry].name;
  return names;
}

Sections plans(const Plan &plan) {
  Table table({{"kernel"}, {"heads"}, {"target"}, {"block"}, {"order"}, {"split"}, {"tables"}});
  for (const PlannedKernel &kernel : plan.kernels) {
    const KernelRequest &request = kernel.request;
    table.add({request.entry, entryNames(plan, kernel), request.target.name,
               fmt::format("{}x{}", request.block.q, request.block.k), "natural", "never",
               mentions(request.attend, Op::Head) ? "one for each head" : "shared"});
  }
  return {{"", table.render({})}};
}

Result<Sections> stage(const Plan &plan, const std::string &name) {
  Sections sections;
  for (const PlannedKernel &kernel : plan.kernels) {
    auto text = explain(kernel.request, name);
    if (!text)
      return text.error();
    sections.push_back({kernel.request.entry, std::move(*text)});
  }
  return sections;
}

/// Why the block is what it is.
std::string blockReason(const Plan &plan, const PlannedKernel &kernel) {
  const KernelRequest &request = kernel.request;
  if (plan.loaded.pattern.heads[kernel.entries[0]].schedule.block.q)
    return "as asked for";
  return fmt::format("the table's choice for head dim {}, value dim {}, {} within the {} KB of "
                     "shared memory of {}",
                     request.headDim, request.valueDim, name(request.dtype),
                     request.target.sharedBytes / 1024, request.target.name);
}

Result<Sections> decisions(const Plan &plan, int64_t n) {
  auto heads = reportHeads(plan, n);
  if (!heads)
    return heads.error();
  std::string text;
  for (const PlannedKernel &kernel : plan.kernels) {
    const KernelRequest &request = kernel.request;
    text += fmt::format("{} (heads: {})\n", request.entry, entryNames(plan, kernel));
    text += fmt::format("  attend  {}\n", print(request.attend));
    text += fmt::format("  block   {}x{}: {}\n", request.block.q, request.block.k,
                        blockReason(plan, kernel));
    text += "  order   natural: the only one that this version builds\n";
    text += "  split   never: parts with orders of their own are not built yet\n";
    text += mentions(request.attend, Op::Head)
                ? "  tables  one for each head: the predicate mentions h\n\n"
                : "  tables  one for all heads: the predicate does not mention h\n\n";
  }
  text += fmt::format("at n = {}\n{}", grouped(n), table(*heads, {}));
  return Sections{{"", text}};
}

Result<Sections> sectionsOf(const Plan &plan, const ExplainOptions &options) {
  int64_t n = options.pattern.n.value_or(512);
  if (options.after.empty())
    return decisions(plan, n);
  if (options.after == "pattern")
    return Sections{{"", print(plan.loaded.pattern)}};
  if (options.after == "layout")
    return layouts(plan, n);
  if (options.after == "plan")
    return plans(plan);
  return stage(plan, options.after);
}

Result<Answer> explainPattern(const Session &session, const ExplainOptions &options) {
  auto target = findTarget(options.target);
  if (!target)
    return target.error();
  auto plan = makePlan(options.pattern, {*target});
  if (!plan)
    return plan.error();
  auto sections = sectionsOf(*plan, options);
  if (!sections)
    return sections.error();
  if (session.json) {
    auto rows = nlohmann::ordered_json::array();
    for (const Section &section : *sections)
      rows.push_back({{"name", section.name}, {"text", section.text}});
    fmt::print("{}\n", nlohmann::ordered_json{{"pattern", plan->loaded.pattern.name},
                                              {"after", options.after},
                                              {"sections", rows}}
                           .dump(2));
    return Answer::Yes;
  }
  for (size_t i = 0; i < sections->size(); ++i) {
    const Section &section = (*sections)[i];
    // A comment in PTX and MLIR, so that the text of one kernel can be used as it is.
    if (sections->size() > 1)
      fmt::print("{}{}\n", i ? "\n" : "", session.style.dim("// " + section.name));
    fmt::print("{}{}", section.text, section.text.ends_with('\n') ? "" : "\n");
  }
  return Answer::Yes;
}

} // namespace

Action declareExplain(CLI::App &app) {
  auto options = std::make_shared<ExplainOptions>();
  declarePatternFlags(app, options->pattern);
  std::vector<std::string> stages = {"pattern", "layout", "plan"};
  for (std::string &name : explainStages())
    stages.push_back(std::move(name));
  addChoice(app, "--after", "STAGE", listed(stages), options->after, stages)->group("Explain");
  addChoice(app, "--target", "TARGET", listed(targetNames()) + " (sm_80)", options->target,
            targetNames())
      ->group("Explain");
  return [options](Session &session) { return explainPattern(session, *options); };
}

} // namespace sparsec::cli
