// Maps of matrices as a row of the verifier's table.
#pragma once

#include "kernel/ops/Elementwise.h"
#include "tools/verify/MatrixTrial.h"

namespace sparsec {

struct ElementwiseCase : MatrixCase { // dtype: of what is written
  static constexpr std::string_view kOperation = "elementwise";
  ElementwiseRequest::Kind kind = ElementwiseRequest::Kind::Gelu;
  DType from = DType::F32;
  float deviation = 2;
  bool residual = false; ///< of dropout
  double drop = 0.1;
};

std::string describe(const ElementwiseCase &c);
std::vector<ElementwiseCase> elementwiseCases(const CaseFlags &flags);
MatrixProblem elementwiseProblem(const ElementwiseCase &c);
Result<Launched> runElementwise(const VerifySetting &setting, const ElementwiseCase &c,
                                const Tensors &tensors);

inline constexpr VerifyOperation kElementwiseVerification =
    matrixVerification<ElementwiseCase, elementwiseCases, elementwiseProblem, runElementwise>();

} // namespace sparsec
