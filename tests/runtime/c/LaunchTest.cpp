// Attention through the C interface against the float64 reference.
#include "tests/runtime/c/Problem.h"

#include <csignal>
#include <thread>
#include <unistd.h>

namespace sparsec::test {
namespace {

void expectRight(const char *pattern, const sparsec_shape &shape) {
  DeviceHandle device = openDevice("cpu", 2);
  Problem problem(pattern, shape, 32);
  ProgramHandle program =
      compile(device, {.kind = SPARSEC_PATTERN_TEXT, .text = pattern}, {.head_dim = 32});
  ASSERT_TRUE(program);
  PlanHandle plan = prepare(program, problem.shape);
  ASSERT_TRUE(plan);
  Workspace forwards(plan, SPARSEC_FORWARD), backwards(plan, SPARSEC_BACKWARD);
  sparsec_forward_call forward = problem.forward(forwards);
  ASSERT_OK(sparsec_forward(plan.get(), &forward));
  sparsec_backward_call backward = problem.backward(backwards);
  ASSERT_OK(sparsec_backward(plan.get(), &backward));

  auto exact = reference::exact(problem.reference.forward);
  auto gradients = reference::exactBackward(problem.reference, exact);
  EXPECT_LT(furthest(problem.out, exact.out), 2e-6);
  EXPECT_LT(furthest(problem.lse, exact.lse), 4e-6);
  EXPECT_LT(furthest(problem.dq, gradients.dq), 1e-5);
  EXPECT_LT(furthest(problem.dk, gradients.dk), 1e-5);
  EXPECT_LT(furthest(problem.dv, gradients.dv), 1e-5);

  // The same bits from eight threads at once, each with a workspace and outputs of its own.
  std::vector<std::thread> threads;
  std::vector<int> wrong(8);
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      Problem own(pattern, shape, 32);
      Workspace workspace(plan, SPARSEC_FORWARD), more(plan, SPARSEC_BACKWARD);
      sparsec_forward_call call = own.forward(workspace);
      wrong[t] += sparsec_forward(plan.get(), &call) != SPARSEC_OK;
      wrong[t] += own.out.copy() != problem.out.copy();
      sparsec_backward_call back = own.backward(more);
      wrong[t] += sparsec_backward(plan.get(), &back) != SPARSEC_OK;
      wrong[t] += own.dq.copy() != problem.dq.copy() || own.dv.copy() != problem.dv.copy();
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, std::vector<int>(8));
}

TEST(Launch, ForwardAndBackwardAreTheReferences) {
  expectRight(kStrided, {.batch = 2, .heads = 4, .kv_heads = 4, .nq = 100, .n = 100});
}

TEST(Launch, PartsAndGroupedHeadsAndAnotherLength) {
  expectRight(kParts, {.batch = 1, .heads = 6, .kv_heads = 2, .nq = 50, .n = 70});
}

/// The layout of a tensor is its strides': [batch, n, heads, dim] gives the same bits.
TEST(Launch, BothLayouts) {
  DeviceHandle device = openDevice("cpu", 1);
  sparsec_shape shape = {.batch = 2, .heads = 3, .kv_heads = 3, .nq = 20, .n = 20};
  Problem problem(kStrided, shape, 16);
  ProgramHandle program = compile(device, {.kind = SPARSEC_PATTERN_TEXT, .text = kStrided},
                                  {.operations = SPARSEC_FORWARD, .head_dim = 16});
  PlanHandle plan = prepare(program, problem.shape);
  ASSERT_TRUE(plan);
  Workspace workspace(plan, SPARSEC_FORWARD);
  sparsec_forward_call call = problem.forward(workspace);
  ASSERT_OK(sparsec_forward(plan.get(), &call));
  std::vector<float> expected = problem.out.copy();

  auto moved = [](CpuTensor &tensor, bool back) {
    auto &s = tensor.shape; // as BHSD
    std::vector<float> from = tensor.copy();
    for (int64_t b = 0; b < s[0]; ++b)
      for (int64_t h = 0; h < s[1]; ++h)
        for (int64_t i = 0; i < s[2]; ++i)
          for (int64_t d = 0; d < s[3]; ++d) {
            int64_t bhsd = ((b * s[1] + h) * s[2] + i) * s[3] + d;
            int64_t bshd = ((b * s[2] + i) * s[1] + h) * s[3] + d;
            tensor.values[back ? bhsd : bshd] = from[back ? bshd : bhsd];
          }
  };
  for (CpuTensor *tensor : {&problem.q, &problem.k, &problem.v}) {
    moved(*tensor, false);
    std::swap(tensor->shape[1], tensor->shape[2]);
  }
  std::swap(problem.out.shape[1], problem.out.shape[2]);
  call.layout = SPARSEC_BSHD;
  ASSERT_OK(sparsec_forward(plan.get(), &call));
  std::swap(problem.out.shape[1], problem.out.shape[2]);
  moved(problem.out, true);
  EXPECT_EQ(problem.out.copy(), expected);
}

/// What a launch says it skipped it did not read: keys and values of blocks that no query has may
/// be anything.
TEST(Launch, CountersAreTheLayouts) {
  DeviceHandle device = openDevice("cpu", 1);
  const char *pattern = "name: p\nheads: [{attend: causal and k >= 640}]\n";
  Problem problem(pattern, {.batch = 1, .heads = 2, .kv_heads = 2, .nq = 1024, .n = 1024}, 16);
  ProgramHandle program = compile(device, {.kind = SPARSEC_PATTERN_TEXT, .text = pattern},
                                  {.head_dim = 16, .block_q = 64, .block_k = 64});
  PlanHandle plan = prepare(program, problem.shape);
  ASSERT_TRUE(plan);
  for (CpuTensor *tensor : {&problem.k, &problem.v})
    for (int h = 0; h < 2; ++h)
      for (int i = 0; i < 640 * 16; ++i)
        tensor->values[h * 1024 * 16 + i] = NAN;
  sparsec_counters counters = {sizeof counters};
  Workspace workspace(plan, SPARSEC_FORWARD), more(plan, SPARSEC_BACKWARD);
  sparsec_forward_call call = problem.forward(workspace);
  call.counters = &counters;
  ASSERT_OK(sparsec_forward(plan.get(), &call));
  // 6 block rows of 16 x 16 see 1 .. 6 blocks, the last of each partial, in two heads.
  EXPECT_EQ(counters.executed, 2 * 21);
  EXPECT_EQ(counters.full, 2 * 15);
  EXPECT_EQ(counters.skipped, 2 * (256 - 21));
  for (float value : problem.out.copy())
    ASSERT_TRUE(std::isfinite(value));
  sparsec_backward_call back = problem.backward(more);
  back.counters = &counters;
  ASSERT_OK(sparsec_backward(plan.get(), &back));
  EXPECT_EQ(counters.executed, 2 * 2 * 21); // over queries and over keys
  EXPECT_EQ(counters.skipped, 2 * 2 * (256 - 21));
  for (float value : problem.dq.copy())
    ASSERT_TRUE(std::isfinite(value));
}

/// What a program does on Ctrl-C is its own, also after something was compiled.
TEST(Launch, SignalsStayTheProgramsOwn) {
  auto own = [](int) {};
  struct sigaction before = {}, after = {};
  before.sa_handler = own;
  ASSERT_EQ(sigaction(SIGINT, &before, nullptr), 0);
  DeviceHandle device = openDevice("cpu", 1);
  std::string unseen = "causal and q - k < " + std::to_string(1000 + getpid()); // by the store
  ProgramHandle program =
      compile(device, {.kind = SPARSEC_PATTERN_EXPRESSION, .text = unseen.c_str()},
              {.operations = SPARSEC_FORWARD, .head_dim = 16});
  ASSERT_TRUE(program);
  for (int signal : {SIGINT, SIGSEGV, SIGTERM}) {
    ASSERT_EQ(sigaction(signal, nullptr, &after), 0);
    EXPECT_EQ(after.sa_handler, signal == SIGINT ? before.sa_handler : SIG_DFL) << signal;
  }
  signal(SIGINT, SIG_DFL);
}

TEST(Launch, PlansAreKept) {
  DeviceHandle device = openDevice("cpu", 1);
  ProgramHandle program = compile(device, {.text = "causal"}, {.operations = SPARSEC_FORWARD});
  sparsec_shape shape = {.batch = 1, .heads = 1, .nq = 8, .n = 8};
  PlanHandle first = prepare(program, shape), second = prepare(program, shape);
  char *json = nullptr;
  ASSERT_OK(sparsec_describe_plan(first.get(), &json));
  EXPECT_NE(std::string(json).find("\"blocks\":{\"all\":1,\"live\":1,\"full\":0,\"partial\":1}"),
            std::string::npos)
      << json;
  sparsec_free_text(json);
  // A plan outlives what it came from.
  program.reset();
  device.reset();
  Problem problem("name: p\nheads: [{attend: causal}]\n",
                  {.batch = 1, .heads = 1, .kv_heads = 1, .nq = 8, .n = 8}, 64);
  Workspace workspace(second, SPARSEC_FORWARD);
  sparsec_forward_call call = problem.forward(workspace);
  EXPECT_OK(sparsec_forward(second.get(), &call));
  EXPECT_LT(furthest(problem.out, reference::exact(problem.reference.forward).out), 2e-6);
}

} // namespace
} // namespace sparsec::test
