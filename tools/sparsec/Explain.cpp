// sparsec explain PATTERN: what was decided and why; or, with --after, the text of a stage.
#include "tools/sparsec/Explain.h"

#include "codegen/ChooseBlock.h"
#include "codegen/Compiler.h"
#include "tools/sparsec/Command.h"
#include "tools/sparsec/HeadReport.h"
#include "tools/sparsec/OperationFlag.h"
#include "tools/sparsec/TargetFlag.h"

#include <fmt/core.h>

namespace sparsec::cli {

std::string entryNames(const LoadedPattern &loaded, const std::vector<int> &entries) {
  std::string names;
  for (int entry : entries)
    names += (names.empty() ? "" : ", ") + loaded.pattern.heads[entry].name;
  return names;
}

Heads firstHeads(const LoadedPattern &loaded, int entry) {
  for (const Layer &layer : loaded.layers)
    for (const auto &[used, heads] : usesOf(layer, loaded.heads))
      if (used == entry)
        return {heads.first, heads.step, std::max<int64_t>(1, heads.count)};
  assert(false && "every planned entry is used by a layer");
  return {};
}

std::string blocksText(const LaunchNumbers &numbers) {
  std::string size = fmt::format("{} bytes in all", grouped(numbers.bytes()));
  if (numbers.forms)
    return fmt::format("closed form: {}; {}", numbers.forms->text, size);
  return fmt::format("tables: the rows are no few progressions that move evenly; {}", size);
}

namespace {

struct ExplainOptions {
  PatternFlags pattern;
  std::string after;
  Target target;
};

/// The layout of each part of each head, in its orders; a layer's sections begin with its title
/// where there are several.
Result<Sections> layouts(const Plan &plan, const Layer &layer, int64_t n) {
  Sections sections;
  for (const HeadRow &row : headRows(plan.loaded, layer)) {
    std::vector<AttentionRequest> parts = plan.partsOf(row.entry);
    std::string title = plan.loaded.layers.size() > 1 ? layer.title() + ": " : "";
    for (size_t i = 0; i < parts.size(); ++i) {
      const AttentionRequest &part = parts[i];
      LayoutRequest request{
          .nq = n, .nk = n, .q0 = 0, .h = row.h, .blockQ = part.block.q, .blockK = part.block.k};
      auto layout = layoutsOf({{part.attend, part.queryOrder, part.keyOrder}}, request);
      if (!layout)
        return layout.error();
      BlockCounts counts = layout->front().counts();
      std::string name =
          title + row.name + (parts.size() > 1 ? fmt::format(", part {}", i + 1) : "");
      sections.push_back(
          {name, fmt::format("blocks of {}x{}, order {}, n = {}: {} live, {} full, {} partial\n{}",
                             part.block.q, part.block.k,
                             ordersText({{part.attend, part.queryOrder, part.keyOrder}}), n,
                             grouped(counts.live), grouped(counts.full), grouped(counts.partial),
                             layout->front().print())});
    }
  }
  return sections;
}

Result<Sections> layouts(const Plan &plan, int64_t n) {
  Sections all;
  for (const Layer &layer : plan.loaded.layers) {
    auto sections = layouts(plan, layer, n);
    if (!sections)
      return sections;
    std::ranges::move(*sections, std::back_inserter(all));
  }
  return all;
}

/// How a kernel is told its blocks at a length, and why.
Result<std::string> blockSource(const Plan &plan, const PlannedKernel &kernel, int64_t n) {
  const AttentionRequest &request = kernel.request;
  auto numbers = launchNumbers(
      request.attend,
      {.nq = n, .nk = n, .q0 = 0, .blockQ = request.block.q, .blockK = request.block.k},
      request.queryOrder, request.keyOrder, firstHeads(plan.loaded, kernel.entries[0]),
      takesRowForms(request) ? BlockSource::Auto : BlockSource::Tables);
  if (!numbers)
    return numbers.error();
  return blocksText(*numbers);
}

Sections plans(const Plan &plan) {
  Table table({{"kernel"}, {"heads"}, {"target"}, {"block"}, {"order"}, {"part"}, {"numbers"}});
  for (const PlannedHead &head : plan.heads)
    for (size_t i = 0; i < head.kernels.size(); ++i) {
      const PlannedKernel &kernel = plan.kernels[head.kernels[i]];
      const AttentionRequest &request = kernel.request;
      table.add({request.entry, entryNames(plan.loaded, kernel.entries), request.target.name,
                 fmt::format("{}x{}", request.block.q, request.block.k),
                 ordersText({{request.attend, request.queryOrder, request.keyOrder}}),
                 fmt::format("{} of {}", i + 1, head.kernels.size()),
                 mentions(request.attend, Op::Head) ? "for each head" : "shared"});
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
  const AttentionRequest &request = kernel.request;
  if (plan.loaded.pattern.heads[kernel.entries[0]].schedule.block.q)
    return "as asked for";
  if (request.target.kind() == TargetKind::Cpu)
    return fmt::format("the fastest by the cost model for head dim {} and value dim {} on a CPU",
                       request.headDim, request.valueDim);
  return fmt::format("the fastest by the cost model of those that fit head dim {}, value dim {}, "
                     "{} within the {} KB of "
                     "shared memory of {}",
                     request.headDim, request.valueDim, name(request.dtype),
                     request.target.sharedBytes / 1024, request.target.name);
}

Result<Sections> decisions(const Plan &plan, int64_t n) {
  auto layers = reportLayers(plan, n);
  if (!layers)
    return layers.error();
  std::string text;
  for (const PlannedHead &head : plan.heads) {
    const PlannedKernel &first = plan.kernels[head.kernels[0]];
    text += fmt::format("{} (heads: {})\n", first.request.entry,
                        entryNames(plan.loaded, first.entries));
    text += fmt::format("  block   {}x{}: {}\n", first.request.block.q, first.request.block.k,
                        blockReason(plan, first));
    text += fmt::format("  split   {}\n", head.kernels.size() == 1
                                              ? "not: one kernel computes the whole head"
                                              : "disjoint parts, merged by log-sum-exp");
    for (size_t kernel : head.kernels) {
      const PlannedKernel &part = plan.kernels[kernel];
      const AttentionRequest &request = part.request;
      text += fmt::format("  attend  {}\n", print(request.attend));
      text += fmt::format("    order   {}\n",
                          ordersText({{request.attend, request.queryOrder, request.keyOrder}}));
      auto source = blockSource(plan, part, n);
      if (!source)
        return source.error();
      text += fmt::format("    blocks  {}\n", *source);
    }
    text += fmt::format("\n  ways weighed at n = {}\n", grouped(plan.weighedAt));
    std::vector<Candidate> weighed = head.ways;
    CostShape shape = plan.shapeOf(first.entries[0], std::max(1, plan.loaded.heads));
    auto counted = count(weighed.front(), head.weighed, shape,
                         CostTarget::of(first.request.target.name, shape.elementBytes));
    if (!counted)
      return counted.error();
    std::string ways = table(weighed);
    for (size_t begin = 0; begin < ways.size();) {
      size_t end = ways.find('\n', begin);
      text += "  " + ways.substr(begin, end - begin) + "\n";
      begin = end + 1;
    }
    text += "\n";
  }
  text += fmt::format("at n = {}\n{}", grouped(n), table(*layers, {}));
  return Sections{{"", text}};
}

Result<Sections> sectionsOf(const Plan &plan, const ExplainOptions &options) {
  int64_t n = plan.loaded.n.value_or(options.after == "layout" ? kDrawnAt : kWeighedAt);
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

/// The name of the pattern, and what is said of it.
Result<std::pair<std::string, Sections>> explained(const ExplainOptions &options) {
  auto named = [](const LoadedPattern &loaded, Result<Sections> sections) {
    return sections ? Result(std::pair(loaded.pattern.name, std::move(*sections)))
                    : Result<std::pair<std::string, Sections>>(sections.error());
  };
  if (options.pattern.operations.front() == AttentionBackwardRequest::kOperation) {
    auto plan = makeBackwardPlan(options.pattern, options.target);
    return plan ? named(plan->loaded, explainBackward(*plan, options.after))
                : Result<std::pair<std::string, Sections>>(plan.error());
  }
  auto plan = makePlan(options.pattern, {options.target});
  if (!plan)
    return plan.error();
  return named(plan->loaded, sectionsOf(*plan, options));
}

Result<Answer> explainPattern(const Session &session, const ExplainOptions &options) {
  auto said = explained(options);
  if (!said)
    return said.error();
  const auto &[pattern, sections] = *said;
  if (session.json) {
    auto rows = nlohmann::ordered_json::array();
    for (const Section &section : sections)
      rows.push_back({{"name", section.name}, {"text", section.text}});
    fmt::print(
        "{}\n",
        nlohmann::ordered_json{{"pattern", pattern}, {"after", options.after}, {"sections", rows}}
            .dump(2));
    return Answer::Yes;
  }
  for (size_t i = 0; i < sections.size(); ++i) {
    const Section &section = sections[i];
    // A comment in PTX and MLIR, so that the text of one kernel can be used as it is.
    if (sections.size() > 1)
      fmt::print("{}{}\n", i ? "\n" : "", session.style.dim("// " + section.name));
    fmt::print("{}{}", section.text, section.text.ends_with('\n') ? "" : "\n");
  }
  return Answer::Yes;
}

} // namespace

Action declareExplain(Options &options) {
  auto asked = std::make_shared<ExplainOptions>();
  declarePatternFlags(options, asked->pattern);
  declareLayerFlag(options, asked->pattern);
  std::vector<std::string> stages = {"pattern", "layout", "plan"};
  for (std::string &name : explainStages())
    stages.push_back(std::move(name));
  options.heading("Explain");
  options.choice("--after", "STAGE", listed(stages), asked->after, stages);
  asked->pattern.operations = plannedOperations();
  declareOperationFlag(options, asked->pattern.operations, HowMany::One,
                       {std::string(AttentionBackwardRequest::kOperation)});
  asked->target = *findTarget("sm_80");
  options.value("--target", "TARGET", listed(targetNames()) + " (sm_80)",
                [asked](const std::string &text) { return readTarget(text, asked->target); });
  return [asked](Session &session) { return explainPattern(session, *asked); };
}

} // namespace sparsec::cli
