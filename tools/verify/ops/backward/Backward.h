// Attention backward for the verifier.
//
//   dq dk dv    k max|plain - f64| + 2^-24 max|f64|, and 2^-24 of what the sums add up without
//               regard to signs (tests/reference/AttentionBackward.h)
//               exactly 0 where there is nothing to sum: rows without keys, keys that nobody sees
//               where inputs count pairs (Counting): exactly the predicate's counts
//
// out and lse are inputs, those of the float64 reference. A group's dk and dv are those of the kv
// heads that its query heads use: one that entries share is held against the reference with each.
#pragma once

#include "tools/verify/Operation.h"
#include "tools/verify/ops/backward/Problem.h"

namespace sparsec {

class BackwardTrial : public Trial {
public:
  BackwardTrial(const Pattern &pattern, const BackwardCase &c);

  std::vector<std::string> groups() const override { return names; }
  Tensors tensors() const override { return tensorsOf(problem, given, c); }
  const std::vector<Expected> &expected() override;
  std::string check(std::string_view output, size_t group, const Tensors &found) const override;

private:
  std::string checkElement(const Expected &expected, int64_t at, float found) const;

  BackwardCase c;
  std::vector<std::string> names;
  reference::BackwardProblem problem;
  reference::AttentionResult<double> forward;
  reference::AttentionResult<float> given;          ///< to the kernels, of forward
  std::vector<std::vector<int64_t>> heads, kvHeads; ///< of each entry
  std::vector<Expected> outputs;
};

std::unique_ptr<Trial> backwardTrial(const Pattern &pattern, const VerifyCase &c);
std::unique_ptr<Runner> backwardRunner(const VerifySetting &setting);

inline constexpr VerifyOperation kBackwardVerification = {BackwardCase::kOperation, backwardCases,
                                                          backwardTrial, backwardRunner};

} // namespace sparsec
