// Decode through the C interface: against the float64 reference at each sequence's own length, and
// what is refused.
#include "tests/runtime/c/Problem.h"

namespace sparsec::test {
namespace {

/// Causal, in parts and in one; its heads share kv heads.
constexpr const char *kPattern = "name: p\nheads:\n"
                                 "  - {attend: causal and (q - k < 9 or (q - k) % 16 == 0),"
                                 " schedule: {split: always}}\n"
                                 "  - {attend: causal and (q - k) % (1 + h) == 0}\n";

/// New queries over full caches, and the call on them.
struct Step {
  Step(const sparsec_shape &shape, int64_t dim, std::vector<int32_t> given)
      : problem(kPattern, shape, dim), lengths(std::move(given)) {}
  sparsec_decode_call call(const Workspace &workspace) {
    return {.size = sizeof(sparsec_decode_call),
            .q = &problem.q.tensor,
            .k = &problem.k.tensor,
            .v = &problem.v.tensor,
            .lengths = &lengths.tensor,
            .out = &problem.out.tensor,
            .lse = &problem.lse.tensor,
            .workspace = workspace.address,
            .workspace_bytes = workspace.bytes};
  }
  Problem problem;
  CpuIntegers lengths;
};

ProgramHandle compileDecode(const DeviceHandle &device, int32_t operations = SPARSEC_DECODE) {
  return compile(device, {.kind = SPARSEC_PATTERN_TEXT, .text = kPattern},
                 {.operations = operations, .head_dim = 32});
}

/// Of one sequence: its queries at its last positions, of so many keys.
reference::AttentionProblem sequence(const reference::AttentionProblem &all, int64_t b,
                                     int64_t length) {
  reference::AttentionProblem one = all;
  one.batch = 1, one.n = length, one.q0 = length - all.nq;
  auto take = [&](const std::vector<float> &from, int64_t heads, int64_t rows, int64_t kept) {
    std::vector<float> taken;
    for (int64_t h = 0; h < heads; ++h) {
      auto first = from.begin() + (b * heads + h) * rows * all.headDim;
      taken.insert(taken.end(), first, first + kept * all.headDim);
    }
    return taken;
  };
  one.q = take(all.q, all.heads, all.nq, all.nq);
  one.k = take(all.k, all.kvHeads, all.n, length);
  one.v = take(all.v, all.kvHeads, all.n, length);
  return one;
}

TEST(Decode, IsTheReferenceAtEachLength) {
  DeviceHandle device = openDevice("cpu", 2);
  ProgramHandle program = compileDecode(device, SPARSEC_FORWARD | SPARSEC_DECODE);
  ASSERT_TRUE(program);
  Step step({.batch = 3, .heads = 4, .kv_heads = 2, .nq = 2, .n = 700}, 32, {700, 2, 411});
  reference::AttentionProblem whole = step.problem.reference.forward;
  for (int64_t b = 0; b < 3; ++b) // what lies behind a sequence is nobody's
    for (int64_t h = 0; h < 2; ++h)
      for (int64_t i = step.lengths.values[b] * 32; i < 700 * 32; ++i)
        for (CpuTensor *cache : {&step.problem.k, &step.problem.v})
          cache->values[(b * 2 + h) * 700 * 32 + i] = NAN;
  PlanHandle plan = prepare(program, step.problem.shape);
  ASSERT_TRUE(plan);
  Workspace workspace(plan, SPARSEC_DECODE);
  EXPECT_GT(workspace.bytes, 0U); // long rows are in slices
  sparsec_decode_call call = step.call(workspace);
  ASSERT_OK(sparsec_decode(plan.get(), &call));
  for (int64_t b = 0; b < 3; ++b) {
    auto exact = reference::exact(sequence(whole, b, step.lengths.values[b]));
    for (size_t i = 0; i < exact.out.size(); ++i)
      ASSERT_NEAR(step.problem.out.values[b * exact.out.size() + i], exact.out[i], 2e-6) << b;
    for (size_t i = 0; i < exact.lse.size(); ++i)
      ASSERT_NEAR(step.problem.lse.values[b * exact.lse.size() + i], exact.lse[i], 4e-6) << b;
  }
  char *json = nullptr;
  ASSERT_OK(sparsec_describe_program(program.get(), &json));
  EXPECT_NE(std::string(json).find("\"operations\":[\"forward\",\"decode\"]"), std::string::npos)
      << json;
  sparsec_free_text(json);
  ASSERT_OK(sparsec_describe_plan(plan.get(), &json));
  EXPECT_NE(std::string(json).find("\"operation\":\"decode\""), std::string::npos) << json;
  sparsec_free_text(json);
}

TEST(Decode, WhatIsWrongIsNamed) {
  DeviceHandle device = openDevice("cpu", 1);
  ProgramHandle program = compileDecode(device);
  Step step({.batch = 2, .heads = 2, .kv_heads = 2, .nq = 1, .n = 700}, 32, {700, 9});
  PlanHandle plan = prepare(program, step.problem.shape);
  ASSERT_TRUE(plan);
  Workspace workspace(plan, SPARSEC_DECODE);
  sparsec_decode_call good = step.call(workspace);
  auto refused = [&](const sparsec_decode_call &call) {
    EXPECT_EQ(sparsec_decode(plan.get(), &call), SPARSEC_INPUT);
    return std::string(sparsec_error());
  };
  sparsec_decode_call call = good;
  call.lengths = nullptr;
  EXPECT_EQ(refused(call), "lengths: expected a tensor, found null");
  call.lengths = &step.problem.lse.tensor;
  EXPECT_EQ(refused(call), "lengths: expected i32, found f32");
  CpuIntegers three({1, 2, 3});
  call.lengths = &three.tensor;
  EXPECT_EQ(refused(call), "lengths: expected shape [2], found [3]");
  call = good;
  call.workspace_bytes -= 1;
  EXPECT_EQ(refused(call), "workspace: expected " + std::to_string(workspace.bytes) +
                               " bytes at least, found " + std::to_string(workspace.bytes - 1));
  ASSERT_OK(sparsec_decode(plan.get(), &good));

  PlanHandle many = prepare(program, {.batch = 1, .heads = 2, .nq = 17, .n = 40});
  Step long17({.batch = 1, .heads = 2, .kv_heads = 2, .nq = 17, .n = 40}, 32, {40});
  call = long17.call(workspace);
  EXPECT_EQ(sparsec_decode(many.get(), &call), SPARSEC_INPUT);
  EXPECT_STREQ(sparsec_error(), "expected a plan of 1 to 16 new queries, found 17");
  sparsec_forward_call forward = step.problem.forward(workspace);
  EXPECT_EQ(sparsec_forward(plan.get(), &forward), SPARSEC_INPUT);
  EXPECT_STREQ(sparsec_error(), "plan: its program was compiled without forward");

  sparsec_pattern later = {
      .size = sizeof later, .kind = SPARSEC_PATTERN_EXPRESSION, .text = "q - k < 3"};
  sparsec_compile_options options = {.size = sizeof options, .operations = SPARSEC_DECODE};
  sparsec_program *none = nullptr;
  ASSERT_OK(sparsec_compile(device.get(), &later, &options, &none));
  ProgramHandle ahead(none);
  sparsec_shape shape = {.size = sizeof shape, .batch = 1, .heads = 1, .nq = 1, .n = 40};
  sparsec_plan *noPlan = nullptr;
  EXPECT_EQ(sparsec_prepare(ahead.get(), &shape, nullptr, &noPlan), SPARSEC_INPUT);
  EXPECT_STREQ(sparsec_error(), "decode: expected a causal predicate, found a query that sees a "
                                "later key: it is not there yet");
}

} // namespace
} // namespace sparsec::test
