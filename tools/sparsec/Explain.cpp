// sparsec explain PATTERN: what was decided and why; or, with --after, the text of a stage.
#include "codegen/Compiler.h"
#include "tools/sparsec/Command.h"
#include "tools/sparsec/HeadReport.h"
#include "tools/sparsec/OperationFlag.h"
#include "tools/sparsec/Progress.h"
#include "tools/sparsec/TargetFlag.h"

#include <algorithm>
#include <fmt/core.h>
#include <utility>

namespace sparsec::cli {
namespace {

constexpr int64_t kDrawnAt = 512; ///< n of layouts when none is given

struct ExplainOptions {
  PatternFlags pattern;
  std::string after;
  Target target;
};

/// One text for each head or kernel, under its name.
struct Section {
  std::string name;
  std::string text;
};
using Sections = std::vector<Section>;
using Json = nlohmann::ordered_json;

/// A way that was weighed, as numbers.
Json json(const Candidate &way) {
  const Cost &cost = way.cost;
  Json orders = Json::array();
  for (const auto &part : way.parts)
    orders.push_back({{"attend", print(part.attend)},
                      {"queries", print(part.queries)},
                      {"keys", print(part.keys)}});
  return {
      {"block", {{"q", way.block.q}, {"k", way.block.k}}},
      {"parts", orders},
      {"exact", cost.exact},
      {"blocks",
       {{"live", cost.blocks.live}, {"full", cost.blocks.full}, {"partial", cost.blocks.partial}}},
      {"elements", cost.elements},
      {"useful", cost.useful()},
      {"balance", cost.balance},
      {"bytes", cost.bytes},
      {"operations", cost.operations},
      {"predicted_ms", cost.seconds * 1e3},
      {"dense_predicted_ms", cost.denseSeconds * 1e3},
      {"break_even_density", cost.breakEven}};
}

/// "row, column"
std::string entryNames(const LoadedPattern &loaded, const std::vector<int> &entries) {
  std::string names;
  for (int entry : entries)
    names += (names.empty() ? "" : ", ") + loaded.pattern.heads[entry].name;
  return names;
}

/// The heads that the first launch for an entry is for; one where the model has too few.
Heads firstHeads(const LoadedPattern &loaded, int entry) {
  for (const Layer &layer : loaded.layers)
    for (const auto &[used, heads] : usesOf(layer, loaded.heads))
      if (used == entry)
        return {heads.first, heads.step, std::max<int64_t>(1, heads.count)};
  assert(false && "every planned entry is used by a layer");
  return {};
}

std::string ordersOf(const PlannedRequest &request) {
  return ordersText({{request.attend, request.queryOrder, request.keyOrder}});
}

/// ", over keys" of a pass that is not its operation's only one.
std::string overText(const PatternPass &pass) {
  return pass.name.empty() ? "" : fmt::format(", over {}", pass.name);
}

/// The layout of a part in its orders.
Result<Section> layoutOf(const PlannedRequest &part, const HeadRow &row, const Lengths &at,
                         int threads) {
  LayoutRequest request = at.request(row.h, part.block);
  request.threads = threads;
  auto layout = layoutsOf({{part.attend, part.queryOrder, part.keyOrder}}, request);
  if (!layout)
    return layout.error();
  BlockCounts counts = layout->front().counts();
  std::string name = row.name + overText(*part.pass);
  std::string folded = part.pass->name.empty()             ? ""
                       : part.pass->work == PassWork::Keys ? ", folded by columns"
                                                           : ", folded by rows";
  if (part.parts > 1)
    name += fmt::format(", part {}", part.part + 1);
  return Section{name,
                 fmt::format("blocks of {}x{}, order {}{}, {}: {} live, {} full, {} partial\n{}",
                             part.block.q, part.block.k, ordersOf(part), folded, at.text(),
                             grouped(counts.live), grouped(counts.full), grouped(counts.partial),
                             layout->front().print())};
}

/// Of each part of each pass of each head; a layer's sections begin with its title where there are
/// several.
Result<Sections> layouts(const Plan &plan, int64_t n) {
  Sections all;
  for (const Layer &layer : plan.loaded.layers)
    for (const HeadRow &row : headRows(plan.loaded, layer))
      for (const PlannedPass &pass : plan.headOf(row.entry).passes)
        for (size_t request : pass.requests) {
          auto section = layoutOf(plan.requests[request], row, pass.lengths(plan.loaded.at(n)),
                                  plan.ledger->threadsAsked());
          if (!section)
            return section.error();
          if (plan.loaded.layers.size() > 1)
            section->name = layer.title() + ": " + section->name;
          all.push_back(std::move(*section));
        }
  return all;
}

Sections plans(const Plan &plan) {
  Table table(
      {{"kernels"}, {"pass"}, {"heads"}, {"target"}, {"block"}, {"order"}, {"part"}, {"numbers"}});
  for (const PlannedRequest &request : plan.requests)
    table.add({request.request.entry(), request.pass->title(),
               entryNames(plan.loaded, request.entries), request.request.target().name,
               fmt::format("{}x{}", request.block.q, request.block.k), ordersOf(request),
               fmt::format("{} of {}", request.part + 1, request.parts),
               request.usesHead() ? "for each head" : "shared"});
  return {{"", table.render({})}};
}

Result<Sections> stage(const Plan &plan, const std::string &name) {
  Sections sections;
  for (const PlannedRequest &request : plan.requests) {
    auto text = explain(request.request, name);
    if (!text)
      return text.error();
    sections.push_back({request.request.entry() + overText(*request.pass), std::move(*text)});
  }
  return sections;
}

/// On a CPU what each kernel does is a plan, too (codegen/cpu/plan/Plan.h).
Result<Sections> cpuPlans(const Plan &plan) {
  Result<Sections> kernels = stage(plan, "plan");
  if (!kernels)
    return kernels.error();
  Sections all = plans(plan);
  all.front().name = "kernels";
  all.insert(all.end(), kernels->begin(), kernels->end());
  return all;
}

/// Why the block is what it is.
std::string blockReason(const Plan &plan, const PlannedRequest &request, const Cost &cost) {
  const Target &target = request.request.target();
  if (plan.loaded.pattern.heads[request.entries[0]].schedule.block.q)
    return "as asked for";
  const char *fastest =
      cost.exact ? "the fastest by the cost model" : "the fastest by the cost model's estimate";
  if (target.kind() == TargetKind::Cpu)
    return fmt::format("{} for head dim {} and value dim {} on a CPU", fastest, plan.headDim,
                       plan.valueDim);
  return fmt::format("{} of those that fit head dim {}, value dim {}, {} within the {} KB of "
                     "shared memory of {}",
                     fastest, plan.headDim, plan.valueDim, name(plan.dtype),
                     target.sharedBytes / 1024, target.name);
}

/// How a kernel is told its blocks at a length, and why.
Result<std::string> blocksText(const Plan &plan, const PlannedRequest &request, int64_t n) {
  auto numbers = request.numbers(plan.loaded.at(n), firstHeads(plan.loaded, request.entries[0]),
                                 plan.ledger->threadsAsked());
  if (!numbers && numbers.error().kind == ErrorKind::Machine)
    return fmt::format("not at n = {}: {}", grouped(n), numbers.error().message);
  if (!numbers)
    return numbers.error();
  std::string size = fmt::format("{} bytes in all", grouped(numbers->bytes()));
  if (request.pass->work == PassWork::Blocks)
    return fmt::format("a list of the live ones; {}", size);
  if (numbers->forms)
    return fmt::format("closed form: {}; {}", numbers->forms->text, size);
  return fmt::format("tables: the rows are no few progressions that move evenly; {}", size);
}

std::string indented(const std::string &text, const std::string &by) {
  std::string lines;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = text.find('\n', begin);
    lines += by + text.substr(begin, end - begin) + "\n";
    begin = end + 1;
  }
  return lines;
}

/// What was decided of a pass, and the ways that were weighed.
Result<std::string> decided(const Plan &plan, const PlannedHead &head, const PlannedPass &pass,
                            int64_t n) {
  const PlannedRequest &first = plan.requests[pass.requests[0]];
  std::string text = fmt::format("block   {}x{}: {}\n", first.block.q, first.block.k,
                                 blockReason(plan, first, pass.ways.front().cost));
  text += fmt::format("split   {}\n", first.parts == 1
                                          ? "not: one kernel computes the whole head"
                                          : fmt::format("disjoint parts, {}", pass.pass->meet));
  for (size_t request : pass.requests) {
    const PlannedRequest &part = plan.requests[request];
    auto source = blocksText(plan, part, n);
    if (!source)
      return source.error();
    text += fmt::format("attend  {}\n  order   {}\n  blocks  {}\n", print(part.attend),
                        ordersOf(part), *source);
  }
  std::string indent = pass.pass->name.empty() ? "  " : "    ";
  return indented(text, indent) +
         fmt::format("\n{}ways weighed at {}\n", indent, plan.loaded.at(plan.weighedAt).text()) +
         indented(table(pass.ways), indent) + "\n";
}

Result<Sections> decisions(const Plan &plan, int64_t n) {
  auto layers = reportLayers(plan, n);
  if (!layers)
    return layers.error();
  std::string text;
  for (const PlannedHead &head : plan.heads) {
    std::string_view operation;
    for (const PlannedPass &pass : head.passes) {
      if (std::exchange(operation, pass.pass->operation) != pass.pass->operation)
        text += fmt::format("{} (heads: {})\n", plan.symbol(head.entries[0], *pass.pass),
                            entryNames(plan.loaded, head.entries));
      if (!pass.pass->name.empty())
        text += fmt::format("  pass over {}\n", pass.pass->name);
      auto ofPass = decided(plan, head, pass, n);
      if (!ofPass)
        return ofPass.error();
      text += *ofPass;
    }
  }
  text += fmt::format("at {}\n{}", plan.loaded.at(n).text(), table(*layers, {}));
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
  if (options.after == "plan" && options.target.kind() == TargetKind::Cpu)
    return cpuPlans(plan);
  if (options.after == "plan")
    return plans(plan);
  return stage(plan, options.after);
}

/// What was weighed for each pass of each head, the chosen way first.
Json waysOf(const Plan &plan) {
  Json passes = Json::array();
  for (const PlannedHead &head : plan.heads)
    for (const PlannedPass &pass : head.passes) {
      Json ways = Json::array();
      for (const Candidate &way : pass.ways)
        ways.push_back(json(way));
      Json heads = Json::array();
      for (int entry : head.entries)
        heads.push_back(plan.loaded.pattern.heads[entry].name);
      passes.push_back({{"operation", pass.pass->operation},
                        {"pass", pass.pass->name},
                        {"heads", heads},
                        {"kernels", plan.symbol(head.entries[0], *pass.pass)},
                        {"weighed_at", plan.weighedAt},
                        {"ways", ways}});
    }
  return passes;
}

Result<Answer> explainPattern(const Session &session, const ExplainOptions &options) {
  std::optional<Progress> progress(std::in_place, session, "planning");
  Ledger ledger(session.threads);
  auto plan = makePlan(options.pattern, {options.target}, ledger);
  if (!plan)
    return plan.error();
  auto said = sectionsOf(*plan, options);
  progress.reset();
  if (!said)
    return said.error();
  const std::string &pattern = plan->loaded.pattern.name;
  const Sections &sections = *said;
  if (session.json) {
    auto rows = nlohmann::ordered_json::array();
    for (const Section &section : sections)
      rows.push_back({{"name", section.name}, {"text", section.text}});
    Json report = {{"pattern", pattern}, {"after", options.after}, {"sections", rows}};
    if (options.after.empty()) {
      report["passes"] = waysOf(*plan);
    }
    fmt::print("{}\n", report.dump(2));
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
    if (std::ranges::find(stages, name) == stages.end())
      stages.push_back(std::move(name));
  options.heading("Explain");
  options.choice("--after", "STAGE", listed(stages), asked->after, stages);
  std::vector<std::string> operations = patternOperations();
  std::vector<std::string> more(operations.begin() + 1, operations.end());
  std::ranges::copy(askedOperations(), std::back_inserter(more));
  asked->pattern.operations = {operations.front()}; // so that the text of one kernel stands alone
  declareOperationFlag(options, asked->pattern.operations, more);
  asked->target = *findTarget("sm_80");
  options.value("--target", "TARGET", listed(targetNames()) + " (sm_80)",
                [asked](const std::string &text) { return readTarget(text, asked->target); });
  return [asked](Session &session) { return explainPattern(session, *asked); };
}

} // namespace sparsec::cli
