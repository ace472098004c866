// Block sums of attention weights for the verifier.
//
//   mass, squares    2^-24 max|f64| + 2^-24 of the largest sum of p (4 + 2 (scale sum |q k| + |lse|)),
//                    of p^2 twice that: scores and lse are off by their roundings, and with them p
//                    by as much of itself
//
// A tensor of each for every entry of the pattern, since each has blocks of its own.
#pragma once

#include "tools/verify/Operation.h"
#include "tools/verify/ops/forward/Case.h"

namespace sparsec {

/// `inputs` is Normal or Peaked, `block` is given.
struct MassCase : ForwardCase {
  static constexpr std::string_view kOperation = "mass";
};

std::string describe(const MassCase &c);
std::vector<VerifyCase> massCases(const Pattern &pattern, const CaseFlags &flags);
std::unique_ptr<Trial> massTrial(const Pattern &pattern, const VerifyCase &c);
std::unique_ptr<Runner> massRunner(const VerifySetting &setting);

inline constexpr VerifyOperation kMassVerification = {MassCase::kOperation, massCases, massTrial,
                                                      massRunner};

} // namespace sparsec
