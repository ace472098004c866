// Sampling as a row of the verifier's table: the tokens themselves. Where a uniform number is
// within rounding of a boundary between classes the reference in float64 may take the next one:
// cases have no such row.
#pragma once

#include "tools/verify/MatrixTrial.h"

namespace sparsec {

struct SampleCase : MatrixCase {
  static constexpr std::string_view kOperation = "sample";
  float temperature = 1;
  float deviation = 2; ///< of the logits
  float offset = 0;    ///< added to all of them
};

std::string describe(const SampleCase &c);
std::vector<SampleCase> sampleCases(const CaseFlags &flags);
MatrixProblem sampleProblem(const SampleCase &c);
Result<Launched> runSample(const VerifySetting &setting, const SampleCase &c,
                           const Tensors &tensors);

inline constexpr VerifyOperation kSampleVerification =
    matrixVerification<SampleCase, sampleCases, sampleProblem, runSample>();

} // namespace sparsec
