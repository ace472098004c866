#include "tests/verify/SmallZoo.h"

#include <algorithm>

namespace sparsec::testing {

std::vector<std::string> distinctZoo() {
  std::vector<std::string> names = zooNames();
  for (const char *same : {"gemma-3", "gemma-4", "gpt-oss", "llama-4", "mimo-v2-flash"})
    std::erase(names, same); // windows, chunks and causal
  return names;
}

Pattern smallZooPattern(const std::string &name, const std::map<std::string, int64_t> &params) {
  auto text = zooFile(name);
  Result<Pattern> pattern = parsePattern(text);
  // What callers seldom say.
  std::map<std::string, int64_t> small = {{"w", 24}, {"g", 3},      {"d", 3},
                                          {"b", 16}, {"r", 2},      {"p", 33},
                                          {"t", 1},  {"width", 12}, {"height", 5}};
  for (auto [param, value] : params)
    small[param] = value;
  PatternOverrides overrides;
  if (pattern)
    for (auto [param, value] : small)
      if (pattern->params.contains(param))
        overrides.params[param] = value;
  pattern = parsePattern(text, overrides);
  EXPECT_TRUE(pattern) << pattern.error().render();
  return pattern ? std::move(*pattern) : Pattern{};
}

std::string zooTestName(const ::testing::TestParamInfo<std::tuple<std::string, DType>> &info) {
  auto [pattern, dtype] = info.param;
  std::string text = pattern + "_" + std::string(name(dtype));
  std::ranges::replace(text, '-', '_');
  return text;
}

} // namespace sparsec::testing
