// Turns the outputs of a run into rows of a report.
#pragma once

#include "tests/reference/Attention.h"
#include "tools/verify/Verify.h"

namespace sparsec {

/// Everything the comparison of one case needs.
struct Outcome {
  const VerifyCase &c;
  const reference::AttentionProblem &problem;
  std::vector<float> out, lse;
  reference::AttentionResult<double> exact;
  reference::AttentionResult<float> plain;
};

/// The row of one output of one entry. `row` brings the names, and a detail when something is
/// already known to be wrong.
VerifyRow judgeOut(const Outcome &outcome, const Heads &heads, VerifyRow row);
VerifyRow judgeLse(const Outcome &outcome, const Heads &heads, VerifyRow row);

} // namespace sparsec
