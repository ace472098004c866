// Attention forward for the verifier.
//
//   out    k max|plain - f64| + 2^-24 max|f64|            exactly 0 in a row without keys
//   lse    that, and 2^-24 of the largest products        -inf in a row without keys
//          of a score (tests/reference/Attention.h)
//
// Where inputs count keys (Inputs::Count), out and lse together say how often each key was used:
// once where its pair attends.
#pragma once

#include "tools/verify/Operation.h"
#include "tools/verify/ops/forward/Problem.h"

namespace sparsec {

class ForwardTrial : public Trial {
public:
  ForwardTrial(const Pattern &pattern, const ForwardCase &c);

  std::vector<std::string> groups() const override { return names; }
  Tensors tensors() const override { return tensorsOf(problem, c); }
  const std::vector<Expected> &expected() override;
  std::string check(std::string_view output, size_t group, const Tensors &found) const override;

private:
  template <class F>
  void forEachRow(size_t group, F visit) const;
  std::string nameRow(int64_t at) const;
  std::string checkKeyless(size_t group, const std::vector<float> &out) const;
  std::string checkCounts(size_t group, const std::vector<float> &out,
                          const std::vector<float> &lse) const;

  ForwardCase c;
  std::vector<std::string> names;
  reference::AttentionProblem problem;
  std::vector<std::vector<int64_t>> heads; ///< of each entry
  std::vector<Expected> outputs;
  std::vector<double> lse; ///< exact
};

std::unique_ptr<Trial> forwardTrial(const Pattern &pattern, const VerifyCase &c);
std::unique_ptr<Runner> forwardRunner(const VerifySetting &setting);

inline constexpr VerifyOperation kForwardVerification = {ForwardCase::kOperation, forwardCases,
                                                         forwardTrial, forwardRunner};

} // namespace sparsec
