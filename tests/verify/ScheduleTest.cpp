// Whatever a schedule says, each pair that attends counts once: with q = 0 and one-hot values, out
// times exp(lse) is how often each key was used. Every kind of order, on both axes and on one,
// whole and in parts, by closed forms and by tables; and patterns in the orders they were made for.
#include "codegen/Compiler.h"
#include "tests/verify/SmallZoo.h"
#include "tests/verify/TestDevice.h"
#include "tools/verify/Verify.h"
#include "tools/verify/ops/forward/Case.h"

#include "layout/Split.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sparsec {
namespace {

std::vector<OrderSpec> ordersOf(int64_t n) {
  auto positions = std::make_shared<std::vector<int32_t>>(n);
  for (int64_t i = 0; i < n; ++i)
    (*positions)[i] = static_cast<int32_t>(i * 37 % n);
  return {ResidueOrder{5},
          ResidueOrder{25},
          TailsOrder{16, 5},
          TailsOrder{24, 24},
          GridOrder{{6, 10}, {4, 3}},
          GridOrder{{3, 4, 5}, {2, 3, 2}},
          TableOrder{"table", positions}};
}

/// How a schedule reads in a failure.
std::string describe(const Schedule &schedule, BlockSource blocks) {
  auto text = [](const std::optional<OrderSpec> &order) { return order ? print(*order) : "auto"; };
  return fmt::format("queries {}, keys {}{}{}", text(schedule.orderQ), text(schedule.orderK),
                     schedule.split == SplitChoice::Always ? ", split" : "",
                     blocks == BlockSource::Tables ? ", tables" : "");
}

void expectOnceEach(Device &device, const std::string &attend, const Schedule &schedule,
                    BlockSource blocks, const ForwardCase &c) {
  SCOPED_TRACE(attend + "\n" + describe(schedule, blocks) + "\n" + sparsec::describe(c));
  auto source = std::make_shared<SourceText>(SourceText{"test", attend});
  Result<Pattern> pattern = patternOfExpression(source);
  ASSERT_TRUE(pattern) << pattern.error().render();
  pattern->heads[0].schedule = schedule;
  Verifier verifier({device, *pattern, targetOf(device), compile, blocks});
  Result<std::vector<VerifyRow>> rows = verifier.run(c);
  ASSERT_TRUE(rows) << rows.error().render();
  for (const VerifyRow &row : *rows)
    EXPECT_TRUE(row.passed) << row.output << ": error " << row.error << ", bound " << row.bound
                            << ": " << row.detail;
}

constexpr const char *kUnion = "causal and (q - k < 9 or (q - k) % 5 == 0 or k % 16 >= 11)";

class EveryOrder : public ::testing::TestWithParam<int> {};

TEST_P(EveryOrder, CountsEachPairOnce) {
  SPARSEC_OPEN_TEST_DEVICE(device);
  constexpr int64_t n = 60;
  OrderSpec order = ordersOf(n)[GetParam()];
  ForwardCase counting{.dtype = DType::F32,
                       .headDim = 16,
                       .valueDim = 64,
                       .n = n,
                       .nq = n,
                       .heads = 2,
                       .inputs = Inputs::Count,
                       .block = {16, 16}};
  ForwardCase plain{.headDim = 32,
                    .valueDim = 48,
                    .n = n,
                    .nq = n,
                    .heads = 2,
                    .inputs = Inputs::Peaked,
                    .block = {32, 16}};
  Schedule both{.orderQ = order, .orderK = order, .split = SplitChoice::Never};
  Schedule queries{.orderQ = order, .orderK = NaturalOrder{}, .split = SplitChoice::Never};
  Schedule keys{.orderQ = NaturalOrder{}, .orderK = order, .split = SplitChoice::Never};
  for (const char *attend : {"causal", kUnion}) {
    for (const Schedule &schedule : {both, queries, keys})
      expectOnceEach(device, attend, schedule, BlockSource::Auto, counting);
    expectOnceEach(device, attend, both, BlockSource::Tables, counting);
  }
  expectOnceEach(device, kUnion, both, BlockSource::Auto, plain);
  Schedule parts{.orderQ = order, .orderK = order, .split = SplitChoice::Always};
  expectOnceEach(device, kUnion, parts, BlockSource::Auto, counting);
  expectOnceEach(device, kUnion, parts, BlockSource::Auto, plain);
}

INSTANTIATE_TEST_SUITE_P(Schedules, EveryOrder, ::testing::Range(0, 7));

/// Lengths that no period and no block divides, fewer and more queries than keys.
TEST(Schedules, HoldAtRaggedLengths) {
  SPARSEC_OPEN_TEST_DEVICE(device);
  Schedule residue{.orderQ = ResidueOrder{7}, .orderK = ResidueOrder{7}};
  Schedule tails{.orderQ = NaturalOrder{}, .orderK = TailsOrder{16, 5}};
  Schedule grid{.orderQ = GridOrder{{8, 9}, {3, 4}}, .orderK = GridOrder{{8, 9}, {3, 4}}};
  for (auto [nq, n] : {std::pair{1, 1}, {17, 101}, {101, 17}, {97, 97}, {64, 0}})
    for (const auto &[attend, schedule] :
         {std::pair{"causal and (q - k) % 7 == 0", residue},
          {kUnion, tails},
          {"abs(q // 9 - k // 9) <= 1 and abs(q % 9 - k % 9) <= 2", grid}})
      expectOnceEach(device, attend, schedule, BlockSource::Auto,
                     {.dtype = DType::F32,
                      .headDim = 16,
                      .valueDim = 112,
                      .n = n,
                      .nq = nq,
                      .batch = 2,
                      .heads = 2,
                      .inputs = Inputs::Count,
                      .block = {32, 32}});
}

/// Predicates that mention h: each head its own blocks, closed or in tables.
TEST(Schedules, HoldWhereHeadsDiffer) {
  SPARSEC_OPEN_TEST_DEVICE(device);
  for (BlockSource blocks : {BlockSource::Auto, BlockSource::Tables})
    for (const char *attend : {"causal and q - k < 20 * (h + 1)", "causal and (q - k) % 6 == h"})
      for (const OrderSpec &order : {OrderSpec(NaturalOrder{}), OrderSpec(ResidueOrder{6})})
        expectOnceEach(device, attend, {.orderQ = order, .orderK = order}, blocks,
                       {.dtype = DType::F32,
                        .headDim = 16,
                        .valueDim = 128,
                        .n = 128,
                        .nq = 128,
                        .heads = 4,
                        .kvHeads = 2,
                        .inputs = Inputs::Count,
                        .block = {16, 16}});
}

} // namespace
} // namespace sparsec
