// Block sums through the C interface, against sums of the float64 reference.
#include "tests/reference/AttentionMass.h"
#include "tests/runtime/c/Problem.h"

namespace sparsec::test {
namespace {

constexpr const char *kTwo = "name: p\nheads:\n"
                             "  - {attend: causal and q - k < 30}\n"
                             "  - {attend: k <= q * h}\n";

TEST(Mass, SumsAreTheReferences) {
  DeviceHandle device = openDevice("cpu", 2);
  ProgramHandle program = compile(
      device, {.kind = SPARSEC_PATTERN_TEXT, .text = kTwo},
      {.operations = SPARSEC_FORWARD | SPARSEC_MASS, .head_dim = 32, .block_q = 16, .block_k = 32});
  ASSERT_TRUE(program);
  constexpr int64_t kBatch = 2, kHeads = 4;
  Problem problem(kTwo, {.batch = kBatch, .heads = kHeads, .kv_heads = 2, .nq = 70, .n = 90}, 32);
  PlanHandle plan = prepare(program, problem.shape);
  ASSERT_TRUE(plan);
  Workspace forwards(plan, SPARSEC_FORWARD), sums(plan, SPARSEC_MASS);
  sparsec_forward_call forward = problem.forward(forwards);
  ASSERT_OK(sparsec_forward(plan.get(), &forward));

  size_t count = 0;
  ASSERT_OK(sparsec_mass_blocks(plan.get(), nullptr, &count));
  std::vector<sparsec_block> blocks(count);
  count -= 1;
  EXPECT_EQ(sparsec_mass_blocks(plan.get(), blocks.data(), &count), SPARSEC_INPUT);
  count += 1;
  ASSERT_OK(sparsec_mass_blocks(plan.get(), blocks.data(), &count));
  CpuTensor mass({kBatch, static_cast<int64_t>(count)}), squares(mass.shape);
  sparsec_mass_call call = {.size = sizeof call,
                            .q = &problem.q.tensor,
                            .k = &problem.k.tensor,
                            .lse = &problem.lse.tensor,
                            .mass = &mass.tensor,
                            .squares = &squares.tensor,
                            .workspace = sums.address,
                            .workspace_bytes = sums.bytes};
  ASSERT_OK(sparsec_mass(plan.get(), &call));

  reference::MassProblem exact{
      .forward = problem.reference.forward, .lse = problem.lse.copy(), .blockQ = 16, .blockK = 32};
  size_t ofEntry = 0; // blocks of the entries before
  for (const std::vector<int64_t> &heads : {std::vector<int64_t>{0, 2}, {1, 3}}) {
    auto live = reference::liveBlocks(exact, heads);
    reference::Mass expected = reference::blockSums(exact, heads);
    for (size_t i = 0; i < live.size(); ++i) {
      const auto &[head, row, column] = blocks[ofEntry + i];
      EXPECT_EQ((std::array<int64_t, 3>{head, row, column}), live[i]);
      for (size_t b = 0; b < kBatch; ++b) {
        size_t at = b * count + ofEntry + i, from = b * live.size() + i;
        ASSERT_NEAR(mass.values[at], expected.mass[from], 1e-4) << b << " " << i;
        ASSERT_NEAR(squares.values[at], expected.squares[from], 1e-4) << b << " " << i;
      }
    }
    ofEntry += live.size();
  }
  EXPECT_EQ(ofEntry, count);

  CpuTensor few({kBatch, static_cast<int64_t>(count) - 1});
  call.mass = &few.tensor;
  EXPECT_EQ(sparsec_mass(plan.get(), &call), SPARSEC_INPUT);
  std::string all = std::to_string(count), less = std::to_string(count - 1);
  EXPECT_EQ(sparsec_error(), "mass: expected shape [2, " + all + "], found [2, " + less + "]");
  call.mass = &squares.tensor;
  EXPECT_EQ(sparsec_mass(plan.get(), &call), SPARSEC_INPUT); // they overlap
}

} // namespace
} // namespace sparsec::test
