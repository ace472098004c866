#include "tools/sparsec/ManyPatterns.h"

#include <fmt/core.h>
#include <set>

namespace sparsec::cli {
namespace {

std::vector<PatternFlags> each(const ManyPatterns &many) {
  std::vector<PatternFlags> all;
  for (const std::string &pattern : many.patterns) {
    all.push_back(many.flags);
    all.back().pattern = pattern;
  }
  for (const std::string &expression : many.expressions) {
    all.push_back(many.flags);
    all.back().expression = expression;
    all.back().hasExpression = true;
  }
  return all;
}

/// Leaves only the parameters that the pattern has; adds their assignments to `used`.
Result<void> keepOwnParams(PatternFlags &flags, std::set<std::string> &used) {
  auto params = paramsOf(flags);
  if (!params)
    return params.error();
  std::vector<std::string> own;
  for (const std::string &each : flags.params)
    if (params->count(each.substr(0, each.find('=')))) {
      own.push_back(each);
      used.insert(each);
    }
  flags.params = own;
  return {};
}

} // namespace

void declareManyPatterns(Options &options, ManyPatterns &many) {
  options.heading("The pattern");
  options.positional("PATTERN", many.patterns);
  options.repeated("-e", "EXPR", "a predicate as one more pattern (repeatable)",
                   [&many](const std::string &text) {
                     many.expressions.push_back(text);
                     return std::string();
                   });
  declareSharedFlags(options, many.flags);
  options.check([&many]() -> std::string {
    if (many.patterns.empty() && many.expressions.empty())
      return "PATTERN: missing: a path, a name of the zoo, - or -e EXPR";
    return "";
  });
}

Result<std::vector<PatternFlags>> flagsOfEach(const ManyPatterns &many) {
  std::vector<PatternFlags> all = each(many);
  std::set<std::string> used;
  bool several = all.size() > 1;
  for (PatternFlags &flags : all)
    if (several)
      if (auto kept = keepOwnParams(flags, used); !kept)
        return kept.error();
  for (const std::string &param : many.flags.params)
    if (several && !used.count(param))
      return inputError(fmt::format("--param: none of the patterns has a parameter '{}'",
                                    param.substr(0, param.find('='))));
  return all;
}

Result<std::vector<LoadedPattern>> loadAll(const ManyPatterns &many) {
  auto all = flagsOfEach(many);
  if (!all)
    return all.error();
  bool several = all->size() > 1;
  std::vector<LoadedPattern> result;
  for (const PatternFlags &flags : *all) {
    Result<LoadedPattern> loaded = load(flags);
    if (!loaded)
      return loaded.error();
    if (several && flags.hasExpression)
      loaded->pattern.name = flags.expression;
    result.push_back(std::move(*loaded));
  }
  return result;
}

} // namespace sparsec::cli
