// sparsec explain PATTERN --op backward.
#include "codegen/ChooseBlock.h"
#include "codegen/Compiler.h"
#include "tools/sparsec/Explain.h"
#include "tools/sparsec/HeadReport.h"

#include <fmt/core.h>

namespace sparsec::cli {
namespace {

using Pass = AttentionBackwardRequest::Pass;

LayoutRequest lengths(int64_t n, const Block &block) {
  return {.nq = n, .nk = n, .q0 = 0, .blockQ = block.q, .blockK = block.k};
}

/// The layout of each pass of each head: a pass folds its rows or its columns.
Result<Sections> layouts(const BackwardPlan &plan, int64_t n) {
  Sections sections;
  for (const Layer &layer : plan.loaded.layers)
    for (const HeadRow &row : headRows(plan.loaded, layer)) {
      std::string title = plan.loaded.layers.size() > 1 ? layer.title() + ": " : "";
      const PlannedBackward &head = plan.headOf(row.entry);
      for (const AttentionBackwardRequest *request : {&head.queries, &head.keys}) {
        auto block = chooseBlock(*request);
        if (!block)
          return block.error();
        LayoutRequest asked = lengths(n, *block);
        asked.h = row.h;
        auto layout = layoutsOf({{request->attend, {}, {}}}, asked);
        if (!layout)
          return layout.error();
        BlockCounts counts = layout->front().counts();
        sections.push_back(
            {fmt::format("{}{}, over {}", title, row.name, name(request->pass)),
             fmt::format("blocks of {}x{}, order natural, folded by {}, n = {}: {} live, {} full, "
                         "{} partial\n{}",
                         block->q, block->k, request->pass == Pass::Keys ? "columns" : "rows", n,
                         grouped(counts.live), grouped(counts.full), grouped(counts.partial),
                         layout->front().print())});
      }
    }
  return sections;
}

Result<Sections> plans(const BackwardPlan &plan) {
  Table table({{"kernels"}, {"pass"}, {"heads"}, {"target"}, {"block"}, {"order"}, {"numbers"}});
  for (const PlannedBackward &head : plan.heads)
    for (const AttentionBackwardRequest *request : {&head.queries, &head.keys}) {
      auto block = chooseBlock(*request);
      if (!block)
        return block.error();
      table.add({request->entry, fmt::format("over {}", name(request->pass)),
                 entryNames(plan.loaded, head.entries), request->target.name,
                 fmt::format("{}x{}", block->q, block->k), "natural",
                 mentions(request->attend, Op::Head) ? "for each head" : "shared"});
    }
  return Sections{{"", table.render({})}};
}

Result<Sections> stage(const BackwardPlan &plan, const std::string &after) {
  Sections sections;
  for (const PlannedBackward &head : plan.heads)
    for (const AttentionBackwardRequest *request : {&head.queries, &head.keys}) {
      auto text = explain(*request, after);
      if (!text)
        return text.error();
      sections.push_back(
          {fmt::format("{}, over {}", request->entry, name(request->pass)), std::move(*text)});
    }
  return sections;
}

Result<std::string> decided(const AttentionBackwardRequest &request, const Heads &heads,
                            int64_t n) {
  auto block = chooseBlock(request);
  if (!block)
    return block.error();
  auto numbers = launchNumbers(request.attend, lengths(n, *block), {}, {}, heads,
                               takesRowForms(request) ? BlockSource::Auto : BlockSource::Tables,
                               request.pass == Pass::Keys ? LayoutRows::Keys : LayoutRows::Queries);
  if (!numbers)
    return numbers.error();
  return fmt::format("  pass over {}\n    block   {}x{}: {}\n    blocks  {}\n", name(request.pass),
                     block->q, block->k,
                     request.block.q
                         ? "as asked for"
                         : "the first that leaves room for its tiles on " + request.target.name,
                     blocksText(*numbers));
}

Result<Sections> decisions(const BackwardPlan &plan, int64_t n) {
  std::string text;
  for (const PlannedBackward &head : plan.heads) {
    text += fmt::format("{}{} (heads: {})\n", text.empty() ? "" : "\n", head.queries.entry,
                        entryNames(plan.loaded, head.entries));
    text += fmt::format("  attend  {}\n", print(head.queries.attend));
    text += "  order   natural: the cost model does not choose backward's schedule yet\n"
            "  split   not: likewise\n";
    for (const AttentionBackwardRequest *request : {&head.queries, &head.keys}) {
      auto pass = decided(*request, firstHeads(plan.loaded, head.entries[0]), n);
      if (!pass)
        return pass.error();
      text += *pass;
    }
  }
  return Sections{{"", text}};
}

} // namespace

Result<Sections> explainBackward(const BackwardPlan &plan, const std::string &after) {
  int64_t n = plan.loaded.n.value_or(after == "layout" ? kDrawnAt : kWeighedAt);
  if (after.empty())
    return decisions(plan, n);
  if (after == "pattern")
    return Sections{{"", print(plan.loaded.pattern)}};
  if (after == "layout")
    return layouts(plan, n);
  if (after == "plan")
    return plans(plan);
  return stage(plan, after);
}

} // namespace sparsec::cli
