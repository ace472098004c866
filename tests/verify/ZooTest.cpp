// Every zoo pattern, every type and head dim, ragged lengths, nq != n, grouped heads, both memory
// orders: the whole matrix of `sparsec verify --full`, with parameters small enough that every
// feature of a pattern is met within a few blocks.
#include "tests/verify/TestDevice.h"
#include "tools/verify/Verify.h"

#include <gtest/gtest.h>

namespace sparsec {
namespace {

Pattern smallPattern(const std::string &name) {
  auto text = zooFile(name);
  Result<Pattern> pattern = parsePattern(text);
  if (!pattern)
    return {};
  PatternOverrides small;
  for (auto [param, value] : pattern->params) {
    if (param == "l")
      small.params[param] = 40;
    if (param == "c")
      small.params[param] = 8;
  }
  Result<Pattern> result = parsePattern(text, small);
  EXPECT_TRUE(result) << result.error().render();
  return result ? std::move(*result) : Pattern{};
}

class Zoo : public ::testing::TestWithParam<std::tuple<std::string, DType>> {};

TEST_P(Zoo, AgreesWithTheReference) {
  SPARSEC_OPEN_TEST_DEVICE(device);
  auto [name, dtype] = GetParam();
  Pattern pattern = smallPattern(name);
  ASSERT_FALSE(pattern.heads.empty());
  Verifier verifier(device, pattern, *findTarget("sm_80"), compile);
  for (const VerifyCase &c : fullCases(pattern)) {
    if (c.dtype != dtype)
      continue;
    SCOPED_TRACE(describe(c));
    Result<std::vector<VerifyRow>> rows = verifier.run(c);
    ASSERT_TRUE(rows) << rows.error().render();
    for (const VerifyRow &row : *rows)
      EXPECT_TRUE(row.passed) << row.head << ": " << row.output << ": error " << row.error
                              << ", bound " << row.bound << ": " << row.detail;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Zoo,
                         ::testing::Combine(::testing::ValuesIn(zooNames()),
                                            ::testing::Values(DType::BF16, DType::F16, DType::F32)),
                         [](const auto &info) {
                           std::string text = std::get<0>(info.param) + "_" +
                                              std::string(name(std::get<1>(info.param)));
                           for (char &letter : text)
                             if (letter == '-')
                               letter = '_';
                           return text;
                         });

} // namespace
} // namespace sparsec
