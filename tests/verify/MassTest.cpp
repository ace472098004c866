// Block sums of attention weights on a device: every zoo pattern and type against float64; a row's
// weights add up to 1 over its blocks; wrong kernels are found.
#include "tools/verify/ops/mass/Mass.h"
#include "codegen/Compiler.h"
#include "kernel/ops/AttentionMass.h"
#include "tests/verify/SmallZoo.h"
#include "tests/verify/TestDevice.h"
#include "tools/verify/Verify.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sparsec {
namespace {

/// The first thing that is wrong with a case; empty: nothing.
std::string wrong(Verifier &verifier, const MassCase &c) {
  Result<std::vector<VerifyRow>> rows = verifier.run(c);
  if (!rows)
    return rows.error().render();
  for (const VerifyRow &row : *rows)
    if (!row.passed)
      return fmt::format("{}: {}: {}: error {}, bound {}: {}", describe(c), row.head, row.output,
                         row.error, row.bound, row.detail);
  return rows->empty() ? "no rows" : "";
}

MassCase small(DType dtype) {
  MassCase c;
  c.dtype = dtype;
  c.headDim = c.valueDim = 32;
  c.n = c.nq = 70;
  c.heads = 4, c.kvHeads = 2;
  c.surround = Surround::Filled;
  c.block = {32, 16};
  return c;
}

class Mass : public ::testing::TestWithParam<std::tuple<std::string, DType>> {};

TEST_P(Mass, AgreesWithFloat64) {
  SPARSEC_OPEN_TEST_DEVICE(device);
  Pattern pattern = testing::smallZooPattern(std::get<0>(GetParam()), {{"l", 20}, {"c", 4}});
  ASSERT_FALSE(pattern.heads.empty());
  Verifier verifier({device, pattern, targetOf(device), compile});
  MassCase c = small(std::get<1>(GetParam()));
  EXPECT_EQ(wrong(verifier, c), "");
  if (device.name() == "sim")
    return;
  c.batch = 2, c.runs = 2;
  c.n = 40, c.nq = 90; // rows before the first key
  EXPECT_EQ(wrong(verifier, c), "");
}

INSTANTIATE_TEST_SUITE_P(Zoo, Mass,
                         ::testing::Combine(::testing::ValuesIn(zooNames()),
                                            ::testing::Values(DType::F32, DType::BF16, DType::F16)),
                         testing::zooTestName);

Pattern patternOf(const std::string &text) {
  auto attend = parsePredicate(std::make_shared<SourceText>(SourceText{"test", text}));
  EXPECT_TRUE(attend) << attend.error().render();
  Pattern pattern{.name = "test"};
  pattern.heads.push_back({.name = "head", .attend = *attend});
  return pattern;
}

/// A kernel that masks another pair is found, and one that takes rows past the end for queries.
TEST(Mass, AWrongKernelIsFound) {
  SPARSEC_OPEN_TEST_DEVICE(device);
  Pattern causal = patternOf("k <= q"), other = patternOf("k <= q and q != 41");
  auto leavesOut = [&](const Request &asked) {
    AttentionMassRequest changed = *asked.as<AttentionMassRequest>();
    changed.attend = other.heads[0].attend;
    return compile(changed);
  };
  Verifier verifier({device, causal, targetOf(device), leavesOut});
  EXPECT_NE(wrong(verifier, small(DType::BF16)), "");
}

TEST(Mass, SizesThatNoKernelHasAreRefused) {
  auto refused = [](AttentionMassRequest request) {
    request.entry = "mass", request.attend = patternOf("k <= q").heads[0].attend;
    request.target = *findTarget("cpu");
    return compile(request).error().message;
  };
  EXPECT_EQ(refused({.headDim = 40, .target = {}}),
            "expected a head dim of 16 to 256 in steps of 16, found 40");
}

} // namespace
} // namespace sparsec
