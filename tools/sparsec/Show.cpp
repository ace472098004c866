// sparsec show PATTERN: each head as a picture of its pairs and one of its blocks, or as counts.
#include "layout/Picture.h"
#include "tools/sparsec/Command.h"
#include "tools/sparsec/HeadReport.h"

#include <fmt/core.h>

namespace sparsec::cli {
namespace {

constexpr int64_t kColumns = 32; ///< of a picture

struct ShowOptions {
  PatternFlags pattern;
  bool stats = false;
};

struct Drawn {
  HeadRow row;
  Block block;
  Picture pairs;
  std::string blocks; ///< empty: more than kColumns of them
};

Result<Drawn> drawHead(const Plan &plan, HeadRow row, int64_t n) {
  Block block = plan.kernelOf(row.entry).request.block;
  const Expr &attend = plan.loaded.pattern.heads[row.entry].attend;
  LayoutRequest request{
      .nq = n, .nk = n, .q0 = 0, .h = row.h, .blockQ = block.q, .blockK = block.k};
  auto pairs = draw(attend, request, kColumns);
  if (!pairs)
    return pairs.error();
  Drawn drawn{std::move(row), block, std::move(*pairs), ""};
  if (n > kColumns * block.k || n > kColumns * block.q)
    return drawn;
  auto layout = BlockLayout::build(attend, request);
  if (!layout)
    return layout.error();
  drawn.blocks = layout->print();
  return drawn;
}

Result<Answer> showStats(const Session &session, const Plan &plan, int64_t n) {
  auto heads = reportHeads(plan, n);
  if (!heads)
    return heads.error();
  warnOfEmpty(*heads, n);
  if (session.json) {
    nlohmann::ordered_json out = {
        {"pattern", plan.loaded.pattern.name}, {"n", n}, {"nq", n}, {"heads", json(*heads)}};
    fmt::print("{}\n", out.dump(2));
    return Answer::Yes;
  }
  fmt::print("{}, n = {}, {}\n\n{}", session.style.bold(plan.loaded.pattern.name), grouped(n),
             name(plan.kernels[0].request.dtype), table(*heads, session.style));
  session.report("\nsaved: of the block products of dense causal attention\n");
  return Answer::Yes;
}

Result<Answer> showPictures(const Session &session, const Plan &plan, int64_t n) {
  auto rows = nlohmann::ordered_json::array();
  std::string text;
  for (HeadRow &row : headRows(plan.loaded)) {
    auto drawn = drawHead(plan, std::move(row), n);
    if (!drawn)
      return drawn.error();
    rows.push_back({{"name", drawn->row.name},
                    {"scale", drawn->pairs.scale},
                    {"pairs", drawn->pairs.text},
                    {"block", {{"q", drawn->block.q}, {"k", drawn->block.k}}},
                    {"blocks", drawn->blocks}});
    text += fmt::format("\n{}", session.style.bold(drawn->row.name));
    text += session.style.dim(drawn->pairs.scale == 1
                                  ? "  rows q, columns k; # attends"
                                  : fmt::format("  a character is {0} x {0} pairs; # all attend, "
                                                "+ some, . none",
                                                drawn->pairs.scale));
    text += "\n" + drawn->pairs.text;
    if (!drawn->blocks.empty())
      text += fmt::format("\n{}\n{}",
                          session.style.dim(fmt::format("blocks of {}x{}; F full, P partial, "
                                                        ". empty",
                                                        drawn->block.q, drawn->block.k)),
                          drawn->blocks);
  }
  if (session.json)
    fmt::print(
        "{}\n",
        nlohmann::ordered_json{{"pattern", plan.loaded.pattern.name}, {"n", n}, {"heads", rows}}
            .dump(2));
  else
    fmt::print("{}, n = {}\n{}", session.style.bold(plan.loaded.pattern.name), grouped(n), text);
  return Answer::Yes;
}

Result<Answer> show(const Session &session, const ShowOptions &options) {
  auto target = findTarget("sm_80");
  if (!target)
    return target.error();
  auto plan = makePlan(options.pattern, {*target}, PlanFor::Pictures);
  if (!plan)
    return plan.error();
  int64_t n = options.pattern.n.value_or(512);
  return options.stats ? showStats(session, *plan, n) : showPictures(session, *plan, n);
}

} // namespace

Action declareShow(CLI::App &app) {
  auto options = std::make_shared<ShowOptions>();
  declarePatternFlags(app, options->pattern);
  app.add_flag("--stats", options->stats, "count elements and blocks instead")->group("Show");
  return [options](Session &session) { return show(session, *options); };
}

} // namespace sparsec::cli
