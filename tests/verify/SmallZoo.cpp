#include "tests/verify/SmallZoo.h"

#include <algorithm>

namespace sparsec::testing {

Pattern smallZooPattern(const std::string &name, const std::map<std::string, int64_t> &params) {
  auto text = zooFile(name);
  Result<Pattern> pattern = parsePattern(text);
  PatternOverrides overrides;
  if (pattern)
    for (auto [param, value] : params)
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
