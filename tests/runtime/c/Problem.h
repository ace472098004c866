// The tensors of a call on cpu, and what the float64 reference gives for them.
#pragma once

#include "patterns/Pattern.h"
#include "tests/reference/AttentionBackward.h"
#include "tests/runtime/c/CallTensors.h"

#include <cmath>

namespace sparsec::test {

struct Problem : CallTensors {
  Problem(const char *pattern, sparsec_shape asked, int64_t dim) : CallTensors(asked, dim) {
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

  reference::BackwardProblem reference;
};

template <class T>
double furthest(const CpuTensor &found, const std::vector<T> &expected) {
  double worst = 0;
  for (size_t i = 0; i < found.size; ++i)
    if (!(found.values[i] == expected[i])) { // both -inf
      double apart = std::abs(found.values[i] - static_cast<double>(expected[i]));
      worst = apart <= worst ? worst : std::isnan(apart) ? INFINITY : apart;
    }
  return worst;
}

inline constexpr const char *kStrided = "name: strided\n"
                                        "heads:\n"
                                        "  - attend: local(16)\n"
                                        "  - attend: causal and every(16)\n";
/// One head in parts, one whose blocks differ by head.
inline constexpr const char *kParts = "name: parts\n"
                                      "heads:\n"
                                      "  - attend: causal and (local(9) or every(16))\n"
                                      "    schedule: {split: always}\n"
                                      "  - attend: local(3 + h) and h != 5\n";

} // namespace sparsec::test
