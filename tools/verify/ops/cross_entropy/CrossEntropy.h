// Softmax cross-entropy as a row of the verifier's table: loss, total and dlogits, where they are
// asked for, in place of the logits too.
#pragma once

#include "tools/verify/MatrixTrial.h"

namespace sparsec {

struct CrossEntropyCase : MatrixCase {
  static constexpr std::string_view kOperation = "cross_entropy";
  enum class Gradient : uint8_t { None, Apart, InPlace };
  Gradient gradient = Gradient::Apart;
  bool total = true;
  float deviation = 3;  ///< of the logits; 1000 leaves one class of probability 1
  float offset = 0;     ///< added to all of them
  bool ignored = false; ///< every third row does not count
  bool lossScale = false;
};

std::string describe(const CrossEntropyCase &c);
std::vector<CrossEntropyCase> crossEntropyCases(const CaseFlags &flags);
MatrixProblem crossEntropyProblem(const CrossEntropyCase &c);
Result<Launched> runCrossEntropy(const VerifySetting &setting, const CrossEntropyCase &c,
                                 const Tensors &tensors);

inline constexpr VerifyOperation kCrossEntropyVerification =
    matrixVerification<CrossEntropyCase, crossEntropyCases, crossEntropyProblem, runCrossEntropy>();

} // namespace sparsec
