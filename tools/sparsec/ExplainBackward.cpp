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

std::string orders(const AttentionBackwardRequest &request) {
  return ordersText({{request.attend, request.queryOrder, request.keyOrder}});
}

/// "part 2 of 3", where there are several.
std::string partText(const PlannedPass &pass, size_t i) {
  return pass.parts.size() > 1 ? fmt::format(", part {}", i + 1) : "";
}

/// The layout of each part of each pass of each head: a pass folds its rows or its columns.
Result<Sections> layouts(const BackwardPlan &plan, int64_t n) {
  Sections sections;
  for (const Layer &layer : plan.loaded.layers)
    for (const HeadRow &row : headRows(plan.loaded, layer)) {
      std::string title = plan.loaded.layers.size() > 1 ? layer.title() + ": " : "";
      for (const PlannedPass *pass : plan.headOf(row.entry).passes())
        for (size_t i = 0; i < pass->parts.size(); ++i) {
          const AttentionBackwardRequest &part = pass->parts[i];
          LayoutRequest asked = lengths(n, part.block);
          asked.h = row.h;
          auto layout = layoutsOf({{part.attend, part.queryOrder, part.keyOrder}}, asked);
          if (!layout)
            return layout.error();
          BlockCounts counts = layout->front().counts();
          sections.push_back(
              {fmt::format("{}{}, over {}{}", title, row.name, name(part.pass), partText(*pass, i)),
               fmt::format("blocks of {}x{}, order {}, folded by {}, n = {}: {} live, {} full, "
                           "{} partial\n{}",
                           part.block.q, part.block.k, orders(part),
                           part.pass == Pass::Keys ? "columns" : "rows", n, grouped(counts.live),
                           grouped(counts.full), grouped(counts.partial),
                           layout->front().print())});
        }
    }
  return sections;
}

Sections plans(const BackwardPlan &plan) {
  Table table(
      {{"kernels"}, {"pass"}, {"heads"}, {"target"}, {"block"}, {"order"}, {"part"}, {"numbers"}});
  for (const PlannedBackward &head : plan.heads)
    for (const PlannedPass *pass : head.passes())
      for (size_t i = 0; i < pass->parts.size(); ++i) {
        const AttentionBackwardRequest &part = pass->parts[i];
        table.add({part.entry, fmt::format("over {}", name(part.pass)),
                   entryNames(plan.loaded, head.entries), part.target.name,
                   fmt::format("{}x{}", part.block.q, part.block.k), orders(part),
                   fmt::format("{} of {}", i + 1, pass->parts.size()),
                   mentions(part.attend, Op::Head) ? "for each head" : "shared"});
      }
  return {{"", table.render({})}};
}

Result<Sections> stage(const BackwardPlan &plan, const std::string &after) {
  Sections sections;
  for (const PlannedBackward &head : plan.heads)
    for (const PlannedPass *pass : head.passes())
      for (const AttentionBackwardRequest &part : pass->parts) {
        auto text = explain(part, after);
        if (!text)
          return text.error();
        sections.push_back(
            {fmt::format("{}, over {}", part.entry, name(part.pass)), std::move(*text)});
      }
  return sections;
}

Result<std::string> blocks(const AttentionBackwardRequest &part, const Heads &heads, int64_t n) {
  auto numbers = launchNumbers(part.attend, lengths(n, part.block), part.queryOrder, part.keyOrder,
                               heads, takesRowForms(part) ? BlockSource::Auto : BlockSource::Tables,
                               part.pass == Pass::Keys ? LayoutRows::Keys : LayoutRows::Queries);
  if (!numbers)
    return numbers.error();
  return blocksText(*numbers);
}

/// What was decided of a pass, and the ways that were weighed, the chosen one counted exactly.
Result<std::string> decided(const PlannedPass &pass, bool blockIsAsked, const Heads &heads,
                            int64_t copies, int64_t n) {
  const AttentionBackwardRequest &first = pass.parts[0];
  std::string text = fmt::format("  pass over {}\n    block   {}x{}: {}\n    split   {}\n",
                                 name(first.pass), first.block.q, first.block.k,
                                 blockIsAsked ? "as asked for" : "the fastest by the cost model",
                                 pass.parts.size() == 1 ? "not: one kernel goes over the whole head"
                                                        : "disjoint parts, which meet in f32 sums");
  for (const AttentionBackwardRequest &part : pass.parts) {
    auto source = blocks(part, heads, n);
    if (!source)
      return source.error();
    text += fmt::format("    attend  {}\n      order   {}\n      blocks  {}\n", print(part.attend),
                        orders(part), *source);
  }
  std::vector<Candidate> weighed = pass.ways;
  CostShape shape = costShape(first, copies);
  auto counted = count(weighed.front(), pass.weighed, shape,
                       CostTarget::of(first.target.name, shape.elementBytes));
  if (!counted)
    return counted.error();
  text += fmt::format("\n    ways weighed at n = {}\n", grouped(pass.weighed.nq));
  std::string ways = table(weighed);
  for (size_t begin = 0; begin < ways.size();) {
    size_t end = ways.find('\n', begin);
    text += "    " + ways.substr(begin, end - begin) + "\n";
    begin = end + 1;
  }
  return text + "\n";
}

Result<Sections> decisions(const BackwardPlan &plan, int64_t n) {
  std::string text;
  for (const PlannedBackward &head : plan.heads) {
    const HeadEntry &entry = plan.loaded.pattern.heads[head.entries[0]];
    std::string symbol = identifier(plan.loaded.pattern.name) + "_" +
                         headNamesOf(plan.loaded.pattern)[head.entries[0]] + "_backward";
    text += fmt::format("{} (heads: {})\n", symbol, entryNames(plan.loaded, head.entries));
    for (const PlannedPass *pass : head.passes()) {
      auto ofPass =
          decided(*pass, entry.schedule.block.q != 0, firstHeads(plan.loaded, head.entries[0]),
                  std::max(1, plan.loaded.heads), n);
      if (!ofPass)
        return ofPass.error();
      text += *ofPass;
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
