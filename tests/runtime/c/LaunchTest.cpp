// Attention through the C interface against the float64 reference.
#include "patterns/Pattern.h"
#include "tests/reference/AttentionBackward.h"
#include "tests/runtime/c/Interface.h"

#include <cmath>

namespace sparsec {
namespace {

using namespace test;

/// Tensors of a shape, what the reference gives for them, and the calls.
struct Problem {
  Problem(const char *pattern, sparsec_shape asked, int64_t dim)
      : shape(asked), q({shape.batch, shape.heads, shape.nq, dim}, 1),
        k({shape.batch, shape.kv_heads, shape.n, dim}, 2),
        v({shape.batch, shape.kv_heads, shape.n, dim}, 3),
        dout({shape.batch, shape.heads, shape.nq, dim}, 4),
        dlse({shape.batch, shape.heads, shape.nq}, 5), out(q.shape), lse(dlse.shape), dq(q.shape),
        dk(k.shape), dv(v.shape) {
    shape.size = sizeof shape;
    reference.forward = {.batch = shape.batch,
                         .heads = shape.heads,
                         .kvHeads = shape.kv_heads,
                         .nq = shape.nq,
                         .n = shape.n,
                         .q0 = shape.n - shape.nq,
                         .headDim = dim,
                         .valueDim = dim,
                         .scale = 1 / std::sqrt(static_cast<float>(dim)),
                         .q = q.copy(),
                         .k = k.copy(),
                         .v = v.copy()};
    auto source = std::make_shared<SourceText>(SourceText{"pattern", pattern});
    Result<Pattern> parsed = parsePattern(source);
    for (const HeadEntry &head : parsed->heads)
      reference.forward.attend.push_back(head.attend);
    reference.dout = dout.copy();
    reference.dlse = dlse.copy();
  }
  sparsec_forward_call forward() {
    return {.size = sizeof(sparsec_forward_call),
            .q = &q.tensor,
            .k = &k.tensor,
            .v = &v.tensor,
            .out = &out.tensor,
            .lse = &lse.tensor};
  }
  sparsec_backward_call backward() {
    return {.size = sizeof(sparsec_backward_call),
            .q = &q.tensor,
            .k = &k.tensor,
            .v = &v.tensor,
            .out = &out.tensor,
            .lse = &lse.tensor,
            .dout = &dout.tensor,
            .dlse = &dlse.tensor,
            .dq = &dq.tensor,
            .dk = &dk.tensor,
            .dv = &dv.tensor};
  }

  sparsec_shape shape;
  CpuTensor q, k, v, dout, dlse, out, lse, dq, dk, dv;
  reference::BackwardProblem reference;
};

template <class T>
double furthest(const CpuTensor &found, const std::vector<T> &expected) {
  double worst = 0;
  for (size_t i = 0; i < found.size; ++i)
    if (!(found.values[i] == expected[i])) // both -inf
      worst = std::max(worst, std::abs(found.values[i] - static_cast<double>(expected[i])));
  return worst;
}

constexpr const char *kStrided = "name: strided\n"
                                 "heads:\n"
                                 "  - attend: local(16)\n"
                                 "  - attend: causal and every(16)\n";
/// One head in parts, one whose blocks differ by head.
constexpr const char *kParts = "name: parts\n"
                               "heads:\n"
                               "  - attend: causal and (local(9) or every(16))\n"
                               "    schedule: {split: always}\n"
                               "  - attend: local(3 + h) and h != 5\n";

void expectRight(const char *pattern, const sparsec_shape &shape) {
  DeviceHandle device = openDevice("cpu", 2);
  Problem problem(pattern, shape, 32);
  ProgramHandle program =
      compile(device, {.kind = SPARSEC_PATTERN_TEXT, .text = pattern}, {.head_dim = 32});
  ASSERT_TRUE(program);
  PlanHandle plan = prepare(program, problem.shape);
  ASSERT_TRUE(plan);
  sparsec_forward_call forward = problem.forward();
  ASSERT_OK(sparsec_forward(plan.get(), &forward));
  sparsec_backward_call backward = problem.backward();
  ASSERT_OK(sparsec_backward(plan.get(), &backward));

  auto exact = reference::exact(problem.reference.forward);
  auto gradients = reference::exactBackward(problem.reference, exact);
  EXPECT_LT(furthest(problem.out, exact.out), 2e-6);
  EXPECT_LT(furthest(problem.lse, exact.lse), 4e-6);
  EXPECT_LT(furthest(problem.dq, gradients.dq), 1e-5);
  EXPECT_LT(furthest(problem.dk, gradients.dk), 1e-5);
  EXPECT_LT(furthest(problem.dv, gradients.dv), 1e-5);
}

TEST(Launch, ForwardAndBackwardAreTheReferences) {
  expectRight(kStrided, {.batch = 2, .heads = 4, .kv_heads = 4, .nq = 100, .n = 100});
}

TEST(Launch, PartsAndGroupedHeadsAndAnotherLength) {
  expectRight(kParts, {.batch = 1, .heads = 6, .kv_heads = 2, .nq = 50, .n = 70});
}

} // namespace
} // namespace sparsec
