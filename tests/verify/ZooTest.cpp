// Every zoo pattern, every type and head dim, ragged lengths, nq != n, grouped heads, both memory
// orders: the whole matrix of `sparsec verify --full`, with parameters small enough that every
// feature of a pattern is met within a few blocks.
#include "codegen/Compiler.h"
#include "tests/verify/SmallZoo.h"
#include "tests/verify/TestDevice.h"
#include "tools/verify/Verify.h"
#include "tools/verify/ops/forward/Case.h"

#include <gtest/gtest.h>

namespace sparsec {
namespace {

class Zoo : public ::testing::TestWithParam<std::tuple<std::string, DType>> {};

TEST_P(Zoo, AgreesWithTheReference) {
  SPARSEC_OPEN_TEST_DEVICE(device);
  auto [name, dtype] = GetParam();
  Pattern pattern = testing::smallZooPattern(name, {{"l", 40}, {"c", 8}});
  ASSERT_FALSE(pattern.heads.empty());
  Verifier verifier({device, pattern, targetOf(device), compile});
  for (const ForwardCase &c : fullForwardCases(pattern)) {
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
                         ::testing::Combine(::testing::ValuesIn(testing::distinctZoo()),
                                            ::testing::Values(DType::BF16, DType::F16, DType::F32)),
                         testing::zooTestName);

} // namespace
} // namespace sparsec
